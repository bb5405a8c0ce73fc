"""`/problems/<code>`: what a problem's `type` leads to."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from moot.api.problems import PROBLEMS, Problem, problem_response, problem_type

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>
{body}
</body>
</html>
"""


async def list_problems(_: Request) -> Response:
    items = "\n".join(
        f'<li><a href="{problem_type(code)}">{code}</a>: {escape(explained.title)}</li>'
        for code, explained in sorted(PROBLEMS.items())
    )
    return HTMLResponse(_PAGE.format(title="Problems", body=f"<ul>\n{items}\n</ul>"))


async def explain_problem(request: Request) -> Response:
    code: str = request.path_params["code"]
    explained = PROBLEMS.get(code)
    if explained is None:
        return problem_response(Problem("problem-not-found"), request)
    body = (
        f"<p><code>{code}</code>, status {explained.status}.</p>\n"
        f"<p>{escape(explained.explanation)}</p>"
    )
    return HTMLResponse(_PAGE.format(title=escape(explained.title), body=body))
