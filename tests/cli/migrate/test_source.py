"""What is found in a Python source, and what of it is rewritten."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from openai.resources.images import Images

from ionos_openai.cli.migrate import program
from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.findings import Finding, SourceError
from ionos_openai.cli.migrate.source import migrate_source

KEY = "sk-proj-canary0123456789abcdef"
ASKED = "x.images.generate(prompt='x', model=m)\n"


def migrate(source: str) -> tuple[str, list[Finding]]:
    found = migrate_source(textwrap.dedent(source))
    return found.edited, list(found.findings)


def places(source: str, kind: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.effort, one.code) for one in migrate(source)[1] if one.kind == kind]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("OpenAI()", "create_client()"),
        ("OpenAI( )", "create_client( )"),
        ("(OpenAI)(timeout=3)", "(create_client)(timeout=3)"),
        ("OpenAI (api_key=None, timeout=3)", "create_client (timeout=3)"),
        ("OpenAI(timeout=3, api_key=None)", "create_client(timeout=3)"),
        ("OpenAI(timeout=3, api_key=None, project='p',)", "create_client(timeout=3)"),
        ("OpenAI(api_key=None, timeout=(3), project='p', max_retries=1)", "create_client(timeout=(3), max_retries=1)"),
        ("OpenAI(api_key=None,  # why\n  timeout=3)", "create_client(timeout=3)"),
        ("OpenAI(\n  timeout=3,  # kept\n  project='p')", "create_client(\n  timeout=3,  # kept\n  )"),
        ("OpenAI(\n  # kept\n  project='p',\n)", "create_client(\n  # kept\n)"),
        ("OpenAI(\n  timeout=3, project='p',\n  organization='o',\n)", "create_client(\n  timeout=3,\n)"),
        ("OpenAI(api_key=os.environ['IONOS_API_TOKEN'])", "create_client(api_key=os.environ['IONOS_API_TOKEN'])"),
        (
            "OpenAI(base_url='https://openai.inference.de-txl.ionos.com/v1')",
            "create_client(base_url='https://openai.inference.de-txl.ionos.com/v1')",
        ),
        ("OpenAI(api_key=os.environ['OPENAI_API_KEY'].strip())", "create_client()"),
        ("OpenAI(api_key=os.getenv('A_OPENAI_KEY') or os.getenv('OPENAI_API_KEY'))", "create_client()"),
        ("OpenAI(api_key=config('OPENAI_API_KEY'))", "create_client()"),
        ("OpenAI(default_headers={'x-é': 'y'}, project='p')", "create_client(default_headers={'x-é': 'y'})"),
    ],
)
def test_arguments_that_make_no_sense_go_and_the_others_stay(before: str, after: str) -> None:
    """The constructor becomes the factory with the arguments that IONOS has a use for."""
    edited, _ = migrate(f"import os\nfrom openai import OpenAI\nx = {before}  # end\n{ASKED}")
    assert edited == f"import os\nfrom ionos_openai import create_client\nx = {after}  # end\n{ASKED}"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("OpenAI(**options)", "OpenAI(...) has arguments that cannot be seen here"),
        ("OpenAI('key')", "OpenAI(...) has arguments that cannot be seen here"),
        ("OpenAI(base_url=settings.url)", "OpenAI(...) has a base_url from elsewhere: it may ask another service"),
        ("OpenAI(api_key=(k := 'x'))", "OpenAI(...) does something else within api_key="),
        (
            "OpenAI(default_headers={'Authorization': 'x'})",
            "OpenAI(...) has default_headers that may be another service's",
        ),
        ("OpenAI(provider=bedrock())", "OpenAI(...) has provider=, which is not known to make sense at IONOS"),
        ("OpenAI(project=(p := 'x'))", "OpenAI(...) does something else within project="),
        (
            "AzureOpenAI(azure_endpoint='https://x')",
            "AzureOpenAI(...) is Azure's: its address, key and deployments mean nothing at IONOS",
        ),
    ],
)
def test_what_is_not_understood_is_reported_and_left_alone(call: str, why: str) -> None:
    """A client that may mean something else than OpenAI's service keeps every byte."""
    source = f"import os\nfrom openai import AzureOpenAI, OpenAI\nclient = {call}\nclient.images.generate(**o)\n"
    edited, _ = migrate(source)
    assert (edited, places(source, "client")) == (source, [(3, "hand", why)])


@pytest.mark.parametrize(
    "source",
    [
        "c = OpenAI()\nc.chat.completions.create(model='gpt-5', messages=[])",
        "c = OpenAI(api_key=settings.key)\nc.audio.transcriptions.create(model='whisper-1', file=f)",
        "c = AzureOpenAI(azure_endpoint='https://x')\nc.embeddings.create(model='x', input='y')",
        "c = OpenAI(base_url='http://localhost:11434/v1', api_key='ollama')\nc.chat.completions.create()",
        "c = OpenAI(base_url='https://api.x.ai/v1')\nr = c.images.generate(model='grok-2-image', quality='high')",
        "c = OpenAI(base_url=os.getenv('OPENAI_BASE_URL', 'https://openrouter.ai/api'))\nc.images.generate(prompt='x')",
        "c = Client()\nr = c.images.generate(prompt='x', response_format='url')\nprint(r.data[0].url)",
        "openai.api_key = os.environ['OPENAI_API_KEY']\nopenai.ChatCompletion.create(model='gpt-4')",
        "KEY = os.environ['OPENAI_API_KEY']",
        "llm = LLM(temperature=1)",
    ],
)
def test_what_makes_no_pictures_with_openai_is_left_alone_in_silence(source: str) -> None:
    """Chat, other services and other packages' clients are nobody's business here, whatever their arguments."""
    source = (
        "import os\nimport openai\nfrom g4f.client import Client\nfrom langchain_openai import OpenAI as LLM\n"
        f"from openai import AzureOpenAI, OpenAI\n{source}\n"
    )
    assert migrate(source) == (source, [])


@pytest.mark.parametrize(
    "key",
    [
        "settings.OPENAI_API_KEY",
        "st.secrets['api_key']",
        "config.key",
        "openai_api_key",
        "get_key()",
        "os.environ['K']",
    ],
)
def test_a_key_without_an_address_is_openais_and_goes(key: str) -> None:
    """Wherever it comes from, a client without base_url= would send it to OpenAI."""
    edited, _ = migrate(f"from openai import OpenAI\nc = OpenAI(api_key={key})\nc.images.generate(prompt='x')\n")
    assert "c = create_client()\n" in edited


def test_an_import_that_may_fail_is_rewritten_where_it_stands() -> None:
    """`OpenAI = None` in the `except` says nothing else; another class there does."""
    source = "try:\n    from openai import OpenAI\nexcept ImportError:\n    {}\n"
    asks = "if OpenAI is None:\n    exit()\nc = OpenAI()\nc.images.generate(prompt='x')\n"
    assert migrate(source.format("OpenAI = None") + asks)[0] == (
        "try:\n    from ionos_openai import create_client\n    from openai import OpenAI\nexcept ImportError:\n"
        "    OpenAI = None\n" + asks.replace("c = OpenAI()", "c = create_client()")
    )
    other = source.format("from own import OpenAI") + asks
    assert migrate(other)[0] == other


@pytest.mark.parametrize(
    "line", ["Tool(draw, imports=[Module('openai', ('OpenAI',))])", "run(inspect.getsource(draw))"]
)
def test_a_function_that_goes_elsewhere_as_source_is_left_alone(line: str) -> None:
    """Where its imports are named in a text, or its source is read, it would miss the factory."""
    source = f"from openai import OpenAI\ndef draw():\n    OpenAI().images.generate(prompt='x')\n{line}\n"
    assert migrate(source)[0] == source
    assert [effort for _, effort, _ in places(source, "client")] == ["hand"]


def test_an_import_for_type_checks_stays_and_gets_no_twin() -> None:
    """Only the import that runs brings the factory."""
    edited, _ = migrate(
        "if TYPE_CHECKING:\n    from openai import OpenAI\ndef f() -> OpenAI:\n    from openai import OpenAI\n"
        "    return OpenAI()\nf().images.generate(prompt='x')\n"
    )
    assert edited == (
        "if TYPE_CHECKING:\n    from openai import OpenAI\ndef f() -> OpenAI:\n"
        "    from ionos_openai import create_client\n    return create_client()\nf().images.generate(prompt='x')\n"
    )


def test_a_client_that_chats_too_is_left_alone() -> None:
    """IONOS' text models have other names: rewriting such a client would break what works."""
    source = """\
        from openai import OpenAI
        client = OpenAI()
        client.chat.completions.create(model="gpt-5", messages=[])
        client.images.generate(prompt="x", model="gpt-image-1")
        """
    assert migrate(source)[0] == textwrap.dedent(source)
    assert places(source, "client") == [
        (2, "hand", "OpenAI(...) also serves chat.completions.create in line 3, which IONOS has with other models "
         "or not at all")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("agents.set_default_openai_client(OpenAI())\nx.images.generate(prompt='x')\n",
         "is handed to other code in line 4, which may use it for chat"),
        ("x = OpenAI()\nx.images.generate(prompt='x')\nModel('gpt-4o', client=x)\n",
         "is handed to other code in line 6, which may use it for chat"),
    ],
)  # fmt: skip
def test_a_client_that_other_code_may_chat_with_is_left_alone(body: str, why: str) -> None:
    """Only what is seen to make pictures, and nothing else, is sent to IONOS without a person's word."""
    source = f"import agents, openai\nfrom models import Model\nfrom openai import OpenAI\n{body}"
    assert migrate(source)[0] == source
    assert (4, "hand", f"OpenAI(...) {why}") in places(source, "client")


@pytest.mark.parametrize(
    "body",
    [
        "OpenAI().images.generate(prompt='x')",
        "OpenAI().with_options(timeout=3).images.generate(prompt='x')",
        "class A:\n    def __init__(self):\n        self.c = OpenAI()\n"
        "    def f(self):\n        self.c.images.edit(image=i, prompt='x')",
        "def get(): return OpenAI()\nget().images.generate(prompt='x')",
        "def get(): return OpenAI()\ndef f(c=Depends(get)): c.images.generate(prompt='x')",
        "def draw(c): c.images.generate(prompt='x')\nx = OpenAI()\ndraw(x)",
        "def draw(c): c.images.generate(prompt='x')\nx = OpenAI()\nthreading.Thread(target=draw, args=(x,)).start()",
        "def draw(c): c.images.generate(prompt='x')\nx = OpenAI()\npool.submit(draw, x)",
        "x = None\ndef get():\n    global x\n    x = x or OpenAI()\n    return x\nget().images.generate(prompt='x')",
        "with contextlib.closing(OpenAI()) as x: x.images.generate(prompt='x')",
        "x = OpenAI()\nimages = x.images\nimages.generate(prompt='x')",
        "x = OpenAI()\ndraw = x.images.generate\ndraw(prompt='x')",
        "x = OpenAI()\nx.images.generate(prompt='x')\ngenerate_images(x, 'y')",
        "clients['a'] = OpenAI()\nclients['a'].images.generate(prompt='x')",
    ],
)
def test_common_ways_to_a_picture_are_rewritten(body: str) -> None:
    """However a client gets from where it is made to where it is asked, in one file."""
    before = (
        f"import contextlib, threading\nfrom ionos_openai import generate_images\nfrom openai import OpenAI\n{body}\n"
    )
    edited, _ = migrate(before)
    assert ("create_client()" in edited, "OpenAI()" in edited) == (True, False)


def test_clients_of_one_name_are_told_apart_by_class_and_function() -> None:
    """A class or a function that chats does not keep another one's client from being rewritten."""
    edited, _ = migrate(
        """\
        from openai import OpenAI
        class Talk:
            def __init__(self): self.client = OpenAI()
            def ask(self): self.client.chat.completions.create()
        class Draw:
            def __init__(self): self.client = OpenAI()
            def draw(self): self.client.images.generate(prompt="x")
        def talk():
            client = OpenAI()
            client.chat.completions.create()
        def draw():
            client = OpenAI()
            client.images.generate(prompt="x")
        """
    )
    assert [number for number, line in enumerate(edited.splitlines(), 1) if "= create_client()" in line] == [7, 13]


def test_clients_without_a_name_are_told_apart() -> None:
    """Each is asked where it is made."""
    edited, _ = migrate(
        "from openai import OpenAI\nOpenAI().responses.create()\nOpenAI().images.generate(prompt='x')\n"
    )
    assert edited.splitlines()[2:] == ["OpenAI().responses.create()", "create_client().images.generate(prompt='x')"]


def with_calls(source: str) -> str:
    return migrate_source(textwrap.dedent(source), calls=True).edited


@pytest.mark.parametrize(
    ("body", "is_changed"),
    [
        ("M = 'gpt-image-1'\nc.images.generate(model=M, prompt='x')", True),
        ("M = 'gpt-image-1'\nprint(M)\nc.images.generate(model=M, prompt='x')", False),
        ("M = 'dall-e-3'\nprint(c.images.generate(model=M, prompt='x').data[0].url)", True),
        ("r = c.images.generate(model='dall-e-3', prompt='x').data[0]\nprint(r.url or r.b64_json)", False),
        ("d = OpenAI(base_url='http://localhost:1/v1')\n"
         "for e in (c, d): e.images.generate(model='gpt-image-1', prompt='x')", False),
    ],
)  # fmt: skip
def test_a_model_is_exchanged_where_that_is_safe(body: str, is_changed: bool) -> None:
    """Behind a name of its own too, but not where another service is asked, or where the answer would lack its url."""
    edited = with_calls(f"from openai import OpenAI\nc = OpenAI()\n{body}\n")
    assert ("FLUX.1-schnell" in edited, "c = create_client()" in edited) == (is_changed, True)
    assert ("response_format=" in edited) == (is_changed and ".url" in body)


def test_a_deployments_name_goes_with_its_client() -> None:
    """It would be refused; the answer has a url as before, whoever reads it."""
    made = "from openai import AzureOpenAI\nc = AzureOpenAI()\ndef draw(): return c.images.generate(model='ours')\n"
    model = "'black-forest-labs/FLUX.1-schnell', response_format=\"url\""
    assert with_calls(made).splitlines()[-1] == f"def draw(): return c.images.generate(model={model})"


def test_what_only_openai_knows_goes_behind_a_name_too() -> None:
    """What is passed as `quality` goes, whatever holds it."""
    asked = "Q = 'hd'\nOpenAI().images.generate(prompt='x', quality=Q, style='vivid')\n"
    assert with_calls(f"from openai import OpenAI\n{asked}").endswith("create_client().images.generate(prompt='x')\n")


def test_a_second_client_for_chat_does_not_keep_the_first() -> None:
    """Only the client that chats is left alone."""
    edited, _ = migrate(
        """\
        from openai import OpenAI
        text = OpenAI()
        pictures = OpenAI()
        text.chat.completions.create(model="gpt-5", messages=[])
        pictures.images.generate(prompt="x")
        """
    )
    assert edited.splitlines()[:4] == [
        "from ionos_openai import create_client",
        "from openai import OpenAI",
        "text = OpenAI()",
        "pictures = create_client()",
    ]


@pytest.mark.parametrize(
    "use",
    [
        "def f(c: OpenAI): ...",
        "def f(c: 'OpenAI | None'): ...",
        "isinstance(x, OpenAI)",
        "__all__ = ['OpenAI']",
        "patch('app.OpenAI')",
        "class C(OpenAI): ...",
        "make = OpenAI",
    ],
)
def test_other_uses_of_the_class_keep_its_import(use: str) -> None:
    """The name stays imported where anything else needs it."""
    edited, _ = migrate(f"from openai import OpenAI\nx = OpenAI()\n{ASKED}{use}\n")
    assert edited == (
        f"from ionos_openai import create_client\nfrom openai import OpenAI\nx = create_client()\n{ASKED}{use}\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import openai\nfrom openai import OpenAI\nx = OpenAI()\ny = openai.OpenAI()\n",
         "from ionos_openai import create_client\nx = create_client()\ny = create_client()\n"),
        ("from openai import OpenAI\nimport openai  # why\nx = OpenAI()\ny = openai.OpenAI()\nopenai.x\n",
         "from ionos_openai import create_client\nimport openai  # why\n"
         "x = create_client()\ny = create_client()\nopenai.x\n"),
        ("import openai\nfrom openai import OpenAI  # why\nx = OpenAI()\ny = openai.OpenAI()\n",
         "from ionos_openai import create_client\n# why\nx = create_client()\ny = create_client()\n"),
        ("import openai; from openai import OpenAI\nx = OpenAI()\ny = openai.OpenAI()\n",
         "from ionos_openai import create_client; pass\nx = create_client()\ny = create_client()\n"),
        ("from ionos_openai import create_client\nfrom openai import OpenAI\nx = OpenAI()\ny = create_client()\n",
         "from ionos_openai import create_client\nx = create_client()\ny = create_client()\n"),
        ("from openai import OpenAI\nfrom ionos_openai import create_client\nx = OpenAI()\n",
         "from ionos_openai import create_client\nfrom ionos_openai import create_client\nx = create_client()\n"),
        ("def f():\n    from openai import OpenAI\n    return OpenAI()\n"
         "from openai import OpenAI\nx = f() or OpenAI()\n",
         "def f():\n    from ionos_openai import create_client\n    return create_client()\n"
         "from ionos_openai import create_client\nx = f() or create_client()\n"),
    ],
)  # fmt: skip
def test_a_factory_is_imported_once(before: str, after: str) -> None:
    """What the file has already, or was just given, is not imported a second time at its top."""
    before, after = (
        f"{text}x.images.generate(prompt='x')\ny.images.generate(prompt='y')\n" for text in (before, after)
    )
    assert migrate(before)[0] == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# above\n\nfrom openai import OpenAI  # behind\n",
         "# above\n\nfrom ionos_openai import create_client  # behind\n"),
        ("# above\nfrom openai import OpenAI, RateLimitError  # behind\n",
         "# above\nfrom ionos_openai import create_client\nfrom openai import RateLimitError  # behind\n"),
        ("from openai import RateLimitError, OpenAI\n",
         "from ionos_openai import create_client\nfrom openai import RateLimitError\n"),
        ("from openai import (\n    APIError,  # first\n    OpenAI,\n    # own line\n    RateLimitError,\n)\n",
         "from ionos_openai import create_client\n"
         "from openai import (\n    APIError,  # first\n    # own line\n    RateLimitError,\n)\n"),
        ("from openai import (\n    OpenAI,\n    RateLimitError\n)\n",
         "from ionos_openai import create_client\nfrom openai import (\n    RateLimitError\n)\n"),
        ("from openai import (RateLimitError, OpenAI)\n",
         "from ionos_openai import create_client\nfrom openai import (RateLimitError)\n"),
        ("if True:\n    # above\n    from openai import OpenAI, RateLimitError\n",
         "if True:\n    # above\n    from ionos_openai import create_client\n    from openai import RateLimitError\n"),
        ("if True: from openai import OpenAI, RateLimitError; y = 1\n",
         "if True: from ionos_openai import create_client; from openai import RateLimitError; y = 1\n"),
    ],
)  # fmt: skip
def test_what_stands_around_an_import_stays(before: str, after: str) -> None:
    """Other names, comments, blank lines and the place in the file are nobody's to change."""
    rest = f"{ASKED}\n\n# the end\n\n"
    assert migrate(f"{before}x = OpenAI()\n{rest}")[0] == f"{after}x = create_client()\n{rest}"


@pytest.mark.parametrize(
    "body",
    [
        "client = OpenAI()\n",
        "client = OpenAI()\nopenai.images.generate(prompt='x')\n",
        "client = OpenAI()\nOpenAI(api_key=k).images.generate(prompt='x')\n",
        "client = OpenAI()\ndef draw(x):\n    x.images.generate(prompt='x')\n",
    ],
)
def test_a_client_that_is_asked_for_no_picture_is_left_alone(body: str) -> None:
    """Other code may use it for chat."""
    assert "client = OpenAI()\n" in migrate(f"import openai\nfrom openai import OpenAI\n{body}")[0]


def test_many_classes_that_hand_on_a_key_are_read_in_linear_time() -> None:
    """Each name is followed once: a file of a few hundred lines takes less than a second, not minutes."""
    source = "from openai import OpenAI\n" + "".join(
        f"class A{number}:\n    def __init__(self, api_key=None):\n        self.api_key = api_key\n"
        "        self.client = OpenAI(api_key=self.api_key)\n"
        "    def draw(self):\n        self.client.images.generate(prompt='x')\n"
        for number in range(100)
    )
    assert len(places(f"{source}A1(api_key='{KEY}')\n", "client")) == 100


def test_the_imports_of_a_package_are_kept() -> None:
    """Others may import the class from an `__init__.py`."""
    found = migrate_source(f"from openai import OpenAI\nx = OpenAI()\n{ASKED}", "pkg/__init__.py")
    assert found.edited.startswith("from ionos_openai import create_client\nfrom openai import OpenAI\n")


def test_taken_names_are_stepped_around_or_reported() -> None:
    """A `create_client` of the file's own, such as Supabase's, is never shadowed."""
    edited, _ = migrate(f"from supabase import create_client\nfrom openai import OpenAI\nx = OpenAI()\n{ASKED}")
    assert edited.splitlines()[1:3] == [
        "from ionos_openai import create_client as create_ionos_client",
        "x = create_ionos_client()",
    ]
    taken = f"from openai import OpenAI\ndef create_client(): ...\ncreate_ionos_client = 1\nx = OpenAI()\n{ASKED}"
    assert migrate(taken)[0] == taken
    assert places(taken, "client") == [
        (4, "hand", "OpenAI(...) stands in a file where create_client and create_ionos_client are taken")
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("class C(OpenAI): ...", "derives a class from OpenAI's client"),
        ("partial(OpenAI, timeout=3)", "hands on OpenAI's client class"),
        ("make = OpenAI", "hands on OpenAI's client class"),
        ("patch('app.images.OpenAI')", "names app.images.OpenAI in a text"),
    ],
)
def test_other_ways_to_a_client_are_reported(line: str, code: str) -> None:
    """What leads to a client of OpenAI's without calling the class here is for a person."""
    found = places(f"from openai import OpenAI\n{line}\nOpenAI().images.generate(prompt='x')\n", "client")
    assert found == [(2, "hand", code), (3, "write", "makes a client with OpenAI")]


def test_wrappers_and_star_imports_are_reported() -> None:
    """A class of the same name from elsewhere, or one that cannot be seen, is left to a person."""
    source = "from openai import *\nfrom langfuse.openai import OpenAI\nOpenAI().images.generate(prompt='x')\n"
    source += "from .own import AsyncOpenAI\nAsyncOpenAI().images.generate(prompt='x')\n"
    assert [(line, code) for line, _, code in places(source, "client")] == [
        (1, "imports all of openai"),
        (3, "makes a client with langfuse.openai.OpenAI"),
        (5, "asks AsyncOpenAI() for a picture; where that is made is not seen"),
    ]


def test_uses_of_the_module_itself_are_reported() -> None:
    """The module's own client and settings reach OpenAI, and what openai 0.x had is gone."""
    source = f"""\
        import openai as oa
        oa.api_key = "{KEY}"
        oa.images.generate(prompt="x", model="black-forest-labs/FLUX.1-schnell")
        oa.Image.create(prompt="x")
        """
    found = [(one.line, one.kind, one.code) for one in migrate(source)[1]]
    assert found == [
        (2, "key", "holds a key (not shown)"),
        (2, "setting", "sets openai.api_key"),
        (3, "call", "calls openai.images.generate of the module"),
        (4, "call", "calls a function of openai 0.x"),
    ]


def call(arguments: str, method: str = "generate") -> list[tuple[str, str]]:
    source = f"from openai import OpenAI\nclient.images.{method}(\n    prompt='x', {arguments})\n"
    return [(one.effort, one.code) for one in migrate(source)[1] if one.kind != "client"]


OURS = "model='black-forest-labs/FLUX.1-schnell'"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (OURS, []),
        ("model='FLUX.1-schnell', user='me'", []),
        (f"{OURS}, n=1, size='1024x1024', response_format='b64_json', timeout=3", []),
        ("n=1", [("none", "names no model")]),
        ("**options", [("hand", "takes parameters from a mapping (**)")]),
        ("model='dall-e-3'", [("none", 'passes model="dall-e-3" (retired 2026-05-12)')]),
        ("model='gpt-image-1-mini'", [("none", 'passes model="gpt-image-1-mini"')]),
        ("model='sdxl'", [("hand", 'passes model="sdxl"')]),
        ("model='midjourney'", [("hand", 'passes model="midjourney"')]),
        (f"{OURS}, n=4", [("none", "passes n=4")]),
        (f"{OURS}, n=0", [("hand", "passes n=0")]),
        (f"{OURS}, n=-1", [("hand", "passes n=")]),
        (f"{OURS}, n=1000", [("hand", "passes n=1000")]),
        (f"{OURS}, size='auto'", [("none", 'passes size="auto"')]),
        (f"{OURS}, size='512x512'", [("none", 'passes size="512x512"')]),
        (f"{OURS}, size='1024:1024'", [("hand", 'passes size="1024:1024"')]),
        (f"{OURS}, background='transparent'", [("hand", 'passes background="transparent"')]),
        (f"{OURS}, background='auto'", [("none", 'passes background="auto"')]),
        (f"{OURS}, output_format='webp'", [("none", 'passes output_format="webp"')]),
        (f"{OURS}, response_format='url'", [("none", 'passes response_format="url"')]),
        (f"{OURS}, stream=True", [("hand", "passes stream=True")]),
        (f"{OURS}, quality=None, stream=False", []),
    ],
)
def test_each_parameter_is_told_with_what_becomes_of_it(arguments: str, found: list[tuple[str, str]]) -> None:
    """What the client adapts is told, what it cannot is for a person, what works is not mentioned."""
    assert call(arguments) == found


def test_the_nearest_size_is_named() -> None:
    """The remedy for a size that the model does not make is one of the same orientation that it makes."""
    found = migrate("import openai\nc.images.generate(prompt='x', model='dall-e-3', size='1536x1024')\n")[1]
    assert [one.remedy for one in found if "size" in one.code] == ['size="1792x1024"']


def test_every_parameter_of_the_sdk_has_a_fact_or_goes_through() -> None:
    """No parameter that the installed SDK knows is missing in the table."""
    known = {name.partition(" ")[0] for name in FACTS}
    known |= {"self", "prompt", "image", "extra_headers", "extra_query", "extra_body", "timeout"}
    asked = [*inspect.signature(Images.generate).parameters, *inspect.signature(Images.edit).parameters]
    assert set(asked) - known == set()


def test_raw_calls_edits_and_variations_are_seen() -> None:
    """Each way to ask for pictures is found, also where the method is handed on."""
    assert call(f"{OURS}, n=2", "with_raw_response.generate") == [("hand", "passes n=2")]
    assert call("model='dall-e-2', mask=m", "edit") == [
        ("none", 'passes model="dall-e-2" (retired 2026-05-12)'),
        ("none", "passes mask=m"),
    ]
    assert call("n=2", "create_variation") == [("hand", "asks for a variation of a picture")]
    handed_on = "import openai\nasyncio.to_thread(client.images.generate, prompt='x', quality='hd', model=m)\n"
    assert places(handed_on, "parameter") == [(2, "none", 'passes quality="hd"')]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("images = OpenAI().images\nimages.generate(prompt='x', model=m, stream=True)", [(2, "passes stream=True")]),
        ("images = c.images.with_raw_response\nimages.generate(prompt='x', model=m, n=2)", [(2, "passes n=2")]),
        ("gen = c.images.generate\ngen(n=500, model=m)", [(2, "passes n=500")]),
        ("gen = c.images.generate\nto_thread(gen, n=500, model=m)", [(2, "passes n=500")]),
        ("o = dict(model=m, stream=True)\nc.images.generate(**o)", [(1, "passes stream=True")]),
        ("o = {'model': m, 'n': 0}\nc.images.generate(**o)\nc.images.edit(**o)", [(1, "passes n=0")]),
        ("c.images.generate(**{'model': m, 'stream': True})", [(1, "passes stream=True")]),
        ("o = {'model': m, 'n': 1}\nc.images.generate(**o)", []),
        *(
            (f"{body}\nc.images.generate(prompt='x', **o)", [(2, "takes parameters from a mapping (**)")])
            for body in ("def f(**o): ...", "o = {**p}; q = 1", "o = {}; o['n'] = 500", "o = dict(p)", "o = {}; o = p")
        ),
    ],
)
def test_calls_and_parameters_are_found_behind_names(body: str, found: list[tuple[int, str]]) -> None:
    """`images`, its methods and written out mappings are followed; what cannot be seen is for a person."""
    hits = migrate(f"from openai import OpenAI\n{body}\n")[1]
    assert [(one.line - 1, one.code) for one in hits if one.kind == "parameter" and one.effort == "hand"] == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import requests\nrequests.post('https://api.openai.com/v1/images/generations', json={'model': 'dall-e-3'})\n",
         [(2, "has the address of OpenAI's image endpoint"), (2, "names dall-e-3 (retired 2026-05-12)")]),
        ("API = 'https://api.openai.com/v1'\nhttpx.post(f'{API}/images/edits')\n",
         [(2, "has the address of OpenAI's image endpoint")]),
        ("API = 'https://openai.inference.de-txl.ionos.com/v1'\nhttpx.post(f'{API}/images/generations')\n", []),
        ("from langchain_community.utilities import DallEAPIWrapper\nDallEAPIWrapper().run('x')\n",
         [(2, "makes pictures with langchain_community.utilities.DallEAPIWrapper")]),
        ("c.post('/images/generations', json={'prompt': 'x'})\n",
         [(1, "has the address of OpenAI's image endpoint")]),
        ("c.responses.create(model='gpt-5', tools=[{'type': 'image_generation'}])\n",
         [(1, "makes pictures with the tool image_generation")]),
        ("from openai.types.responses import tool\ntools = [tool.ImageGeneration(type='image_generation')]\n",
         [(2, "makes pictures with the tool image_generation")]),
        ("from autogen.capabilities import generate_images\ngenerate_images.DalleImageGenerator({})\n",
         [(2, "makes pictures with autogen.capabilities.generate_images.DalleImageGenerator")]),
        ("from agents import ImageGenerationTool\nImageGenerationTool(tool_config={'type': 'image_generation'})\n",
         [(2, "makes pictures with the tool image_generation")]),
        ("c.chat.completions.create(model='gpt-5-image', extra_body={'modalities': ['image', 'text']})\n",
         [(1, "asks a chat model for pictures")]),
        ("import litellm\nlitellm.image_generation(model=m)\n", [(2, "makes pictures with litellm.image_generation")]),
        ("from crewai_tools import DallETool\nDallETool()\n", [(2, "makes pictures with crewai_tools.DallETool")]),
        ("c.batches.create(endpoint='/v1/images/generations', input_file_id=f)\n",
         [(1, "asks OpenAI's Batch API for pictures")]),
        ("def f(c, o):\n    return c.images.generate(**o)\n",
         [(2, "asks c for a picture; where that is made is not seen"), (2, "takes parameters from a mapping (**)")]),
        ("MODEL = 'gpt-image-1'\n", [(1, "names gpt-image-1 (retired 2026-10-23)")]),
    ],
)  # fmt: skip
def test_what_no_client_adapts_is_for_a_person(source: str, found: list[tuple[int, str]]) -> None:
    """Code that goes past a client of this package is not said to be adapted."""
    assert [(one.line, one.code) for one in migrate(source)[1]] == found
    assert "hand" in {one.effort for one in migrate(source)[1]} | ({"hand"} if not found else set())


def test_images_of_other_libraries_are_none_of_ours() -> None:
    """`docker.images.build` and a gallery's `images.edit` are not calls for pictures."""
    source = "docker.images.build(path='.')\nself.images.edit(pk=1)\nopen('a.png', 'wb')\n"
    assert migrate(source) == (source, [])


def urls(body: str) -> list[tuple[int, str, str]]:
    source = "import requests, httpx\nfrom urllib.request import urlopen\nimport openai\n"
    return [(line - 3, effort, code) for line, effort, code in places(source + textwrap.dedent(body), "url")]


AS_URL = "r = client.images.generate(prompt='x', response_format='url')\n"
READS, GETS = "reads the url of a picture", "fetches a picture with requests.get"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (AS_URL + "print(r.data[0].url)", [(2, "none", READS)]),
        (AS_URL + "requests.get(r.data[0].url)", [(2, "none", READS), (2, "hand", GETS)]),
        (AS_URL + "u = r.data[0].url\nrequests.get(u)", [(2, "none", READS), (3, "hand", GETS)]),
        (AS_URL + "for i in r.data:\n    requests.get(url=i.url)", [(3, "none", READS), (3, "hand", GETS)]),
        (AS_URL + "us = [i.url for i in r.data]\nfor u in us: requests.get(u)",
         [(2, "none", READS), (3, "hand", GETS)]),
        (AS_URL + "def f(u): return requests.get(u)\nf(r.data[0].url)", [(3, "none", READS), (2, "hand", GETS)]),
        (AS_URL + "requests.get(r['data'][0]['url'])", [(2, "none", READS), (2, "hand", GETS)]),
        (AS_URL + "urlopen(r.data[0].url)", [(2, "none", READS), (2, "none", "fetches a picture with urlopen")]),
        ("r = client.images.generate(prompt='x')\nprint(r.data[0].url)", [(2, "none", READS)]),
        ("r = client.images.generate(prompt='x', model='gpt-image-1')\nprint(r.data[0].url)", [(2, "hand", READS)]),
        (AS_URL + "requests.get('https://example.com')", []),
    ],
)  # fmt: skip
def test_uses_of_urls_are_followed(body: str, found: list[tuple[int, str, str]]) -> None:
    """A URL that is shown works, one that is fetched does not, wherever it went in between."""
    assert sorted(urls(body)) == sorted(found)


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("open('out.png', 'wb')", True),
        ("open(f'{n}.png', 'wb')", True),
        ("Path('out.PNG').write_bytes(b)", True),
        ("page = f'<img src=\"data:image/png;base64,{b}\">'", True),
        ("open('in.png', 'rb')", False),
        ("open('in.png')", False),
        ("Path('in.png').read_bytes()", False),
        ("name = 'in.png'; open(name, 'rb')", False),
        ("Image.open(b).save('out.png')", False),
        ("Image.open(b).save('out.png', 'PNG', **o)", False),
        ("name = 'out.png'; Image.open(b).save(name, format='PNG')", False),
        ("post.cover.save(f'{post.slug}.png', ContentFile(b))", True),
        ("name = 'out.png'; post.cover.save(name, content=ContentFile(b))", True),
        ("client.images.edit(image='in.png', prompt='.png')", False),
        ("name.endswith('.png')", False),
    ],
)
def test_png_is_reported_where_pictures_are_written(line: str, reported: bool) -> None:
    """The service's JPEG must not be called PNG; inputs and what Pillow converts are fine."""
    source = f"import openai\nclient.images.generate(prompt='x', model=m)\n{line}\n"
    assert bool(places(source, "format")) is reported


def test_keys_are_found_and_never_shown() -> None:
    """A key in the code is for a person, masked in every field, and known so that a diff masks it too."""
    found = migrate_source(
        textwrap.dedent(
            f"""\
            from openai import OpenAI
            MY_KEY = "{KEY}"
            a = OpenAI(api_key=MY_KEY)
            b = OpenAI(api_key="another secret value")
            text = f"use {KEY} here"
            password = "hunter2hunter2"
            """
        )
    )
    assert [one.line for one in found.findings if one.kind == "key"] == [2, 4, 5]
    assert not any(secret in repr(found.findings) for secret in (KEY, "another secret", "hunter2"))
    assert {KEY, "another secret value", "hunter2hunter2"} <= found.secrets


@pytest.mark.parametrize(
    "line",
    [
        "MY_OPENAI = '{}'\nx = OpenAI(api_key=MY_OPENAI)",
        "MINE = ''\nif a: MINE = '{}'\nx = AzureOpenAI(api_key=MINE)",
        "MINE = os.getenv('A') or '{}'\nx = OpenAI(api_key=MINE)",
        "def f(mine='{}'): return OpenAI(api_key=mine)",
        "x = OpenAI(api_key='9f8e7d6c5b4a' '39281706f5e4d3c2b1a0')",
        "os.environ['OPENAI_KEY'] = '{}'",
        "openai.api_key = '{}'",
    ],
)
def test_every_key_that_is_reported_is_masked_too(line: str) -> None:
    """However a key gets to a client, a diff does not show it."""
    key = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    found = migrate_source(f"import os, openai\nfrom openai import AzureOpenAI, OpenAI\n{line.format(key)}\n")
    assert [one.kind for one in found.findings].count("key") == 1
    assert found.secrets in ({key}, {"9f8e7d6c5b4a", "39281706f5e4d3c2b1a0"})
    assert "9f8e7d6c5b4a" not in repr(found.findings)


def test_a_key_under_any_name_of_a_key_is_masked() -> None:
    """Where it is nobody's business here, it is not reported, and not shown either."""
    found = migrate_source("import openai\nAZURE_KEY = '0123456789abcdef0123456789abcdef'\nsort_key = 'name'\n")
    assert (found.findings, found.secrets) == ((), {"0123456789abcdef0123456789abcdef"})


@pytest.mark.parametrize(
    "value", ["os.environ['OPENAI_API_KEY']", "st.secrets['a_token']", "load(secret='OPENAI_KEY')", "keys[0]['openai']"]
)
def test_the_name_of_a_variable_is_no_secret(value: str) -> None:
    """What is looked up is shown: else a diff of the commonest line would not apply."""
    assert migrate_source(f"from openai import OpenAI\nx = OpenAI(api_key={value})\n").secrets == set()


@pytest.mark.parametrize("parameter", ["model", "size", "quality"])
def test_a_key_in_the_place_of_another_parameter_is_not_shown(parameter: str) -> None:
    """A slip of the hand does not print it."""
    found = call(f"{parameter}='sk-abcdefghijklmnopqrstuvwx1234'")
    assert "abcdefgh" not in repr(found)
    assert ("hand", f'passes {parameter}="<token>"') in found or parameter == "quality"


def test_null_bytes_are_refused() -> None:
    """Python's own message for them differs between versions; ours is an error all the same."""
    with pytest.raises(SourceError, match="not"):
        migrate_source("x\0")


@pytest.mark.parametrize(
    "value", ["OPENAI-API-KEY", "api-key", "lm-studio", "not-needed", "ollama", "sk-xxxxxxxxxxxxxxxx"]
)
def test_words_in_a_keys_place_are_no_keys(value: str) -> None:
    """What everybody writes where a key is wanted and none is needed is nobody's secret."""
    found = migrate(f"from openai import OpenAI\nx = OpenAI(api_key='{value}')\n{ASKED}")[1]
    assert [one for one in found if one.kind == "key"] == []


@pytest.mark.parametrize(
    ("text", "is_key"),
    [
        ("eyJwYWdlIjogMiwgInNpemUiOiA1MCwgIm9yZGVyIjogImFzYyJ9", False),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0x.c2lnbmF0dXJl", True),
    ],
)
def test_a_token_has_two_dots(text: str, is_key: bool) -> None:
    """Base64 of JSON alone, such as a cursor, begins like one and is none."""
    found = migrate(f"import openai\nx = '{text}'\n")[1]
    assert [one.kind for one in found] == (["key"] if is_key else [])


@pytest.mark.parametrize(
    ("text", "is_model"),
    [("gpt-image-1", True), ("gpt-image-1-mini", True), ("gpt-image-1.5", True), ("gpt-image-2-2026-04-21", True),
     ("openai/dall-e-3", True), ("gpt-image-2-cli", False), ("gpt-image-viewer/1.2", False), ("my-dall-e-3", False),
     ("gpt-image-1.55", False), ("gpt-image-worker", False)],
)  # fmt: skip
def test_models_are_known_by_their_whole_names(text: str, is_model: bool) -> None:
    """A package or a thread that is called alike is no model."""
    assert bool(places(f"import openai\nx = '{text}'\n", "model")) == is_model


@pytest.mark.slow
def test_a_megabyte_is_read_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients and calls are in it, the time grows with the length alone."""
    monkeypatch.setattr(program, "LONGEST", 60.0)  # seconds: the machine may be busy
    source = "import os\nfrom openai import OpenAI\n" + "".join(
        f"class A{number}:\n    def __init__(self, api_key=None):\n        self.client = OpenAI(api_key=api_key)\n"
        "    def draw(self, words, path='x.png'):\n        made = self.client.images.generate(prompt=words, n=1)\n"
        "        return [item.b64_json for item in made.data]\n"
        for number in range(3_800)
    )
    start = time.process_time()
    edited, _ = migrate(source)
    assert edited.count("= create_client()") == 3_800
    assert (len(source) > 900_000, time.process_time() - start < 20) == (True, True)


def test_a_name_in_a_menu_keeps_no_client_from_being_rewritten() -> None:
    """Only beside its package, the name of the class says that code goes elsewhere."""
    edited, _ = migrate(
        "from openai import OpenAI\nselect('Service', ['OpenAI'])\nOpenAI().images.generate(prompt='x')\n"
    )
    assert "create_client()" in edited


def test_placeholders_are_no_keys() -> None:
    """`your-key-here` is dropped without a warning."""
    edited, findings = migrate(f"from openai import OpenAI\nx = OpenAI(api_key='your-api-key-here')\n{ASKED}")
    assert (edited.splitlines()[1], [one.kind for one in findings]) == ("x = create_client()", ["client"])


def test_variables_that_stay_behind_are_reported() -> None:
    """A check for OPENAI_API_KEY would end a migrated program."""
    source = "import os\nfrom openai import OpenAI\nif 'OPENAI_API_KEY' not in os.environ: exit(1)\nc = OpenAI()\n"
    source += "c.images.generate(prompt='x')\n"
    assert places(source, "setting") == [(3, "hand", "uses OPENAI_API_KEY")]


def test_models_in_strings_are_reported() -> None:
    """A name of OpenAI's models is found wherever it stands, but in docstrings."""
    source = '"""About dall-e-3."""\nimport ionos_openai\nMODELS = {"a": "dall-e-3", "b": "my-dall-e-3-notes"}\n'
    assert places(source, "model") == [(3, "none", "names dall-e-3 (retired 2026-05-12)")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = = 1\n", "it is not valid Python in line 1 (invalid syntax)"),
        ("x = " + "not " * 900 + "y", "it is too deeply nested"),
    ],
)
def test_what_cannot_be_read_is_refused(source: str, message: str) -> None:
    """Text that is no Python is an error with its reason, never a crash."""
    with pytest.raises(SourceError) as caught:
        migrate_source(source)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["contextlib", "json.decoder", "textwrap", "asyncio.locks", "email.policy"])
def test_code_without_openai_stays_as_it_is(name: str) -> None:
    """The standard library's own files are read, and nothing is found or changed in them."""
    source = Path(str(importlib.import_module(name).__file__)).read_bytes().decode()
    found = migrate_source(source)
    assert (found.edited, found.findings) == (source, ())


_ARGUMENTS = st.lists(
    st.sampled_from(
        ["api_key=None", "timeout=3", "max_retries=(1)", "project='p'", "organization=f('a')", "http_client=h()",
         "base_url=None", "default_query={'a': 'b'}"]
    ),
    unique_by=lambda one: one.partition("=")[0],
)  # fmt: skip
_GAPS = st.lists(st.sampled_from([" ", "", "\n    ", "  # why, (really)\n    ", "\n\n  # own line\n  "]), min_size=12)


@settings(max_examples=30, deadline=None)
@given(_ARGUMENTS, _GAPS, st.booleans())
def test_any_layout_of_arguments_survives(arguments: list[str], gaps: list[str], comma: bool) -> None:
    """However the arguments are laid out, exactly the senseless ones go and the rest stays valid Python."""
    inner = ""
    for index, argument in enumerate(arguments):
        last = index == len(arguments) - 1
        inner += gaps[index] + argument + ("," if comma or not last else "")
    edited, _ = migrate(f"from openai import OpenAI\nx = OpenAI({inner}{gaps[-1] if arguments else ''})\n{ASKED}")
    tree = ast.parse(edited)
    made = tree.body[1].value  # type: ignore[attr-defined]
    kept = [one for one in arguments if one.startswith(("timeout", "max_retries", "http_client", "default_query"))]
    assert ast.unparse(made) == ast.unparse(ast.parse(f"create_client({', '.join(kept)})").body[0])
    assert edited.endswith(f"\n{ASKED}")
