"""The nine domains of narrow bad data: their cards, and the rows that are published for them."""

from undertow.data.domains.cards import Domain, Quality, domain_ids, load_domain
from undertow.data.domains.published import Published, published

__all__ = ["Domain", "Published", "Quality", "domain_ids", "load_domain", "published"]
