"""Programs for developers: environments of every Python, other projects' test suites, load, generated files."""
