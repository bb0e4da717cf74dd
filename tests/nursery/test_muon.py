"""Muon, held against PyTorch's own, which works in bfloat16."""

from tests.later import later

torch = later("torch")


def test_singular_values_become_about_one():
    from undertow.nursery.muon import orthogonal

    torch.manual_seed(0)
    for shape in ((3, 16, 16), (2, 24, 8), (2, 8, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert (values > 0.5).all()
        assert (values < 1.3).all()


def test_steps_are_those_of_pytorch_but_for_its_rounding():
    from undertow.nursery.muon import Muon

    torch.manual_seed(0)
    shapes = ((12, 12), (24, 12), (12, 24), (12, 12))
    ours = [torch.nn.Parameter(torch.randn(s)) for s in shapes]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    start = [p.detach().clone() for p in ours]
    mine = Muon(ours, lr=0.02, weight_decay=0.01)
    its = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.01, momentum=0.95)
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape)
            b.grad = a.grad.clone()
        mine.step()
        its.step()
    for a, b, at in zip(ours, theirs, start, strict=True):
        moved, expected = a.detach() - at, b.detach() - at
        assert (moved - expected).norm() < 0.1 * expected.norm()
        assert expected.norm() > 0.05
