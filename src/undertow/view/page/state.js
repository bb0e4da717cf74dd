// Where the page is: the part of the address behind `#`, so that every row and every filter has a link.

export const VIEWS = ["overview", "answers", "sides", "compare", "label"];

/** The view and its parameters, each a list. */
export function place() {
  const [view, query = ""] = location.hash.replace(/^#/, "").split("?");
  const params = {};
  for (const [name, value] of new URLSearchParams(query)) (params[name] ??= []).push(value);
  return { view: VIEWS.includes(view) ? view : "overview", params };
}

export function hash(view, params = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== null && one !== "") given.append(name, one);
  }
  const query = given.toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

/** Go there; `quietly` leaves no step to go back to. */
export function go(view, params, { quietly = false } = {}) {
  const to = hash(view, params);
  if (to === location.hash) return;
  if (quietly) {
    history.replaceState(null, "", to);
    dispatchEvent(new Event("hashchange"));
  } else location.hash = to;
}

export const one = (params, name, other = "") => params[name]?.[0] ?? other;
