"""The page of a run: what is imported before it can be opened."""

import subprocess
import sys


def test_page_opens_without_packages_that_only_some_answers_need() -> None:
    code = (
        "import sys; import posescope.explorer.app.page\n"
        "print(sorted({'torch', 'IPython', 'matplotlib', 'pandera', 'sklearn', 'kedro', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
