"""The lab's front door.

    python -m labkit                   make the environment if need be, open the first notebook
    python -m labkit test [ARGS]       the same, then every test; or pytest with ARGS
    python -m labkit check [01 03 ...] which exercises are solved (for a grader: --strict, --json)
    python -m labkit classroom         the panels without code, in large type, for a projector
    python -m labkit site [FOLDER]     the notebooks, executed, as static pages (default: site/)
    python -m labkit setup [--tests]   the environment only (--tests: with what the tests need)

    --here    use this Python as it is (Binder, Colab, conda) and make no environment
    --cpu     a new environment on Linux: torch without CUDA, as is done by itself without a GPU
    --help    show this text; after `check` or `site`, that command's own

Options after `lab` go to JupyterLab, after `classroom` to Voila:
python -m labkit lab --no-browser --port 8890
"""

# This file must parse on any old Python, down to 2.7, so that its reader gets the sentence below
# and not a SyntaxError: hence no f-strings, no annotations, no [*a, *b] here.

import os
import sys

if sys.version_info < (3, 10):
    sys.exit(
        "labkit: Python 3.10 or newer is needed; this is Python %d.%d (%s)."
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

from labkit.course import environment
from labkit.course.environment import ROOT, Problem, say
from labkit.files import explain_os_error

COMMANDS = ("lab", "test", "check", "classroom", "site", "setup")


def main(arguments):
    """Run one command and return its exit status; a problem is told in a line or two."""
    own = arguments[:1] in (["check"], ["site"])  # these have a help of their own
    if "-h" in arguments[:1] or "--help" in arguments[: 1 if own else 2]:
        print(__doc__.strip())
        return 0
    try:
        return run(arguments)
    except (Problem, OSError) as error:
        cure = "install the packages and add --here"
        text = str(error) if isinstance(error, Problem) else explain_os_error(error, cure)
        say(text, sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped. The same command takes it up again.", sys.stderr)
        return 130


def run(arguments):
    here, cpu, tests = ["--" + word in arguments for word in ("here", "cpu", "tests")]
    words = [word for word in arguments if word not in ("--here", "--cpu", "--tests")]
    # `--here check` is a command; in `--here x` all is for JupyterLab.
    named = words and (words[0] in COMMANDS or not arguments[0].startswith("-"))
    command, rest = (words[0], words[1:]) if named else ("lab", words)
    if command not in COMMANDS:
        raise Problem("no such command: %s (there are: %s)" % (command, ", ".join(COMMANDS)))
    if command == "setup" and rest:
        raise Problem("setup takes only --tests, --here and --cpu, not " + " ".join(rest))
    tests = tests or command == "test"
    needed = environment.TEST_REQUIREMENTS if tests else environment.LAB_REQUIREMENTS
    check, make = environment.check_here, environment.ensure_environment
    python = [str(check(needed) if here else make(needed, cpu))]
    if not here:  # a module system's packages would hide those of .venv
        os.environ.pop("PYTHONPATH", None)
    # Many tiny steps on two threads mostly wait for one another where two processes share two
    # cores: fifty training steps took 1.5 s so, and 0.01 s with one thread.
    one_thread = {"OMP_NUM_THREADS": "1"}
    if command == "lab":
        # Without root_dir, Jupyter would show the notebook's folder and hide labkit's source; in a
        # container one is root, and Jupyter would refuse.
        lab = ["jupyterlab", "notebooks/01_motivation.ipynb", "--ServerApp.root_dir=" + str(ROOT)]
        return hand_over(python + ["-m"] + lab + ["--allow-root"] + rest, {})
    if command == "test":  # tests/conftest.py says which tests go to one worker together
        everything = ["-n", str(min(4, os.cpu_count() or 1))]
        return hand_over(python + ["-m", "pytest"] + (rest or everything), one_thread)
    if command != "setup":
        defaults = one_thread if command == "check" else {}
        return hand_over(python + ["-m", "labkit.course." + command] + rest, defaults, False)
    say("ready: " + python[0])
    return 0


def hand_over(command, defaults, starts_here=True):
    """Let `command` take this process's place, so that Ctrl-C and the exit status are its own.

    starts_here: in the lab's folder; a command that takes folders finds them from the user's.
    """
    env = dict(defaults, **os.environ)
    # There JupyterLab finds labconfig/default_setting_overrides.json: no news pop-up, and slider
    # callbacks never on a second thread beside a cell that is training.
    config = [str(ROOT / "labkit" / "course"), env.get("JUPYTER_CONFIG_PATH", "")]
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, config))
    if starts_here:
        os.chdir(str(ROOT))
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, env)
    import signal  # Windows has no exec: wait instead, and leave Ctrl-C to the child
    import subprocess

    with subprocess.Popen(command, env=env) as child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
