import pytest

from crmlib.errors import GateError
from crmlib.report.offline import check_offline, find_outside

OUTSIDE = [
    '<script>alert(1)</script>',
    '<script src="x.js"></script>',
    '<link rel="stylesheet" href="https://cdn.example/x.css">',
    '<img alt="" src="https://cdn.example/x.png">',
    '<img alt="" src="//cdn.example/x.png">',
    '<img alt="" src="x.png">',
    '<img alt="" srcset="https://cdn.example/x.png 2x">',
    '<a href="https://elsewhere.example">x</a>',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="mailto:a@b.example">x</a>',
    '<a href="../../etc/index.html">x</a>',
    '<p style="background: url(https://cdn.example/x.png)">x</p>',
    "<style>@import 'https://cdn.example/x.css';</style>",
    "<style>p { background: url('//cdn.example/x.png') }</style>",
    '<svg><use xlink:href="https://cdn.example/x.svg#a"></use></svg>',
    '<svg><image href="https://cdn.example/x.png"></image></svg>',
    '<form action="https://elsewhere.example"></form>',
    '<iframe srcdoc="x"></iframe>',
    '<object data="x"></object>',
    '<base href="https://elsewhere.example">',
    '<meta http-equiv="Refresh" content="0; url=x">',
    '<p onclick="x()">x</p>',
    '<video poster="https://cdn.example/x.png"></video>',
]  # fmt: skip
INSIDE = [
    '<a href="#q1">x</a>',
    '<a href="06_churn_and_value.html">x</a>',
    '<a href="index.html#about">x</a>',
    '<svg><use href="#m1"></use><path clip-path="url(#p1)"></path></svg>',
    "<p>see https://elsewhere.example, as a text</p>",
    "<style>p { color: red }</style>",
    '<meta charset="utf-8">',
]


@pytest.mark.parametrize("markup", OUTSIDE)
def test_what_reaches_outside_is_found(markup):
    assert [line for line, _ in find_outside(f"<html>\n{markup}\n</html>")]
    with pytest.raises(GateError, match=r"Page '05', line 2: <\w+") as caught:
        check_offline(f"<html>\n{markup}</html>", "05")
    assert "example" not in str(caught.value)


@pytest.mark.parametrize("markup", INSIDE)
def test_what_stays_inside_is_left_alone(markup):
    check_offline(f"<html>{markup}</html>", "05")
