"""A user's conftest: one line gives the fixtures."""

pytest_plugins = ["ionos_openai.testing"]
