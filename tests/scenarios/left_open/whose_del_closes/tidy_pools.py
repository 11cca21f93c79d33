from psycopg_pool import ConnectionPool


class TidyPool(ConnectionPool):
    def __del__(self) -> None:
        self.close()
