"""`/problems` and `/problems/<code>`: what a problem's `type` leads to."""

from starlette.requests import Request
from starlette.responses import Response

from moot.api.pages.site import answer_page, page
from moot.api.problems import PROBLEMS, Problem, problem_response


async def list_problems(request: Request) -> Response:
    problems = sorted(PROBLEMS.items())
    text = page("problems.html", here="/problems", title="Problems", problems=problems)
    return answer_page(request, text)


async def explain_problem(request: Request) -> Response:
    code: str = request.path_params["code"]
    explained = PROBLEMS.get(code)
    if explained is None:
        return problem_response(Problem("problem-not-found"), request)
    text = page(
        "problem.html",
        here=request.url.path,
        title=explained.title,
        code=code,
        explained=explained,
    )
    return answer_page(request, text)
