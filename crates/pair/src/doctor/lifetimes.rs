//! Until when each series of servers gets fixes, from the vendors' published plans.

use jiff::civil::{Date, date};
use twinlog_server::version::{Flavour, Version};

/// The last day of each series, oldest first; series in between, such as MySQL 9.0 to 9.6, ended when the next came.
/// Later ones are not listed: they are taken to be alive.
const MYSQL: &[((u16, u16), Date)] = &[
    ((5, 6), date(2021, 2, 28)),
    ((5, 7), date(2023, 10, 31)),
    ((8, 0), date(2026, 4, 30)),
    ((8, 1), date(2023, 10, 25)),
    ((8, 2), date(2024, 1, 16)),
    ((8, 3), date(2024, 4, 30)),
    ((8, 4), date(2032, 4, 30)),
    ((9, 0), date(2024, 10, 15)),
    ((9, 1), date(2025, 1, 21)),
    ((9, 2), date(2025, 4, 15)),
    ((9, 3), date(2025, 7, 22)),
    ((9, 4), date(2025, 10, 21)),
    ((9, 5), date(2026, 1, 20)),
];

const MARIADB: &[((u16, u16), Date)] = &[
    ((10, 5), date(2025, 6, 24)),
    ((10, 6), date(2026, 7, 6)),
    ((10, 7), date(2023, 2, 9)),
    ((10, 8), date(2023, 5, 20)),
    ((10, 9), date(2023, 8, 22)),
    ((10, 10), date(2023, 11, 17)),
    ((10, 11), date(2028, 2, 16)),
    ((11, 0), date(2024, 6, 6)),
    ((11, 1), date(2024, 8, 21)),
    ((11, 2), date(2024, 11, 21)),
    ((11, 3), date(2024, 5, 29)),
    ((11, 4), date(2029, 5, 29)),
    ((11, 5), date(2024, 11, 21)),
    ((11, 6), date(2025, 2, 13)),
    ((11, 7), date(2025, 5, 12)),
    ((11, 8), date(2028, 6, 4)),
    ((12, 0), date(2025, 11, 18)),
];

/// The last day on which a version's series gets fixes, where that is known.
pub(super) fn end_of(version: &Version) -> Option<Date> {
    let table = match version.flavour {
        Flavour::MySql => MYSQL,
        Flavour::MariaDb => MARIADB,
    };
    table
        .iter()
        .find(|(series, _)| *series == (version.major, version.minor))
        .map(|(_, end)| *end)
}
