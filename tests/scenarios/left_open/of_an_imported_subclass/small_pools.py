from psycopg_pool import ConnectionPool


class SmallPool(ConnectionPool):
    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, open=True, min_size=1, num_workers=1)


class NamedPool(SmallPool):
    def __init__(self, dsn: str, label: str) -> None:
        super().__init__(dsn)
        self.label = label
