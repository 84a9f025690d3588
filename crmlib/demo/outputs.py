"""The retailer's files while they are being written, and what is counted over all pieces of the population."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from crmlib.demo.consent_log import log_files
from crmlib.demo.defects import DefectLog
from crmlib.demo.effects import EffectSums
from crmlib.demo.files import CsvFile, ParquetFiles, ZippedCsvFiles
from crmlib.demo.mailchimp import FILES
from crmlib.demo.pos import TicketCounter
from crmlib.demo.season import Season

#: How the ERP, the mailing log and the service desk write text files.
OFFICE_DIALECT = {"delimiter": ";", "encoding": "cp1252"}
#: What defects are planted in.
ENTITIES = {
    "shop": "customers",
    "erp": "customers",
    "loyalty": "customers",
    "pos": "tickets",
    "consents": "consents",
    "mailing": "sends",
    "web": "web_events",
    "service": "service_cases",
}


@dataclass
class Outputs:
    """The files of one retailer.

    Parameters
    ----------
    folder : Path
        Where the data lie.
    as_of_date : date
    effects : EffectSums
    counter : TicketCounter
    """

    folder: Path
    as_of_date: date
    effects: EffectSums
    counter: TicketCounter
    stack: ExitStack
    orders: int = 0
    cases: int = 0
    logs: dict[str, DefectLog] = field(default_factory=dict)
    lists: dict[str, CsvFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data, day = self.folder / "data", f"{self.as_of_date:%Y%m%d}"
        self.logs = {source: DefectLog(source, entity) for source, entity in ENTITIES.items()}
        self.shop_customers = self._csv("shop/customers.csv")
        self.shop_orders = self._csv(f"shop/orders_{day}.csv")
        self.erp_customers = self._csv(f"erp/clientes_{day}.csv", **OFFICE_DIALECT)
        self.loyalty_cards = self._csv("loyalty/cards.csv", delimiter="\t")
        self.service_cases = self._csv(f"service/casos_{day}.csv", **OFFICE_DIALECT)
        self.consent_logs = {
            delivery: self.stack.enter_context(CsvFile(path))
            for delivery, path in log_files(data / "consents", self.as_of_date).items()
        }
        audience = data / "mailchimp" / f"audience_export_{day}.zip"
        names = {name: f"{name}_members_export.csv" for name in FILES}
        self.audience_names = names
        self.audience = self.stack.enter_context(ZippedCsvFiles(audience, list(names.values())))
        self.till_tables, self.sends, self.web_events, self.truth_tables = (
            self.stack.enter_context(ParquetFiles(folder))
            for folder in (data / "pos", data / "mailing", data / "web", self.folder / "truth")
        )

    def list_file(self, name: str) -> CsvFile:
        """The file of a list, opened when it is first asked for."""
        if name not in self.lists:
            self.lists[name] = self._csv(f"lists/{name}")
        return self.lists[name]

    def _csv(self, name: str, **dialect: str) -> CsvFile:
        return self.stack.enter_context(CsvFile(self.folder / "data" / name, **dialect))


def open_outputs(folder: Path, season: Season, as_of_date: date, campaigns: int, stack: ExitStack) -> Outputs:
    """Open the files of a retailer.

    Parameters
    ----------
    folder : Path
    season : Season
    as_of_date : date
    campaigns : int
        How many there are.
    stack : ExitStack
        Closes them.
    """
    return Outputs(folder, as_of_date, EffectSums.none(campaigns), TicketCounter(season), stack)
