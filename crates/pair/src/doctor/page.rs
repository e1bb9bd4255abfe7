//! The rules as a page of documentation, made from their table.

use std::fmt::Write as _;

use super::{Area, rules};

/// `docs/doctor.md`.
pub fn page() -> String {
    let mut page = "# What `twinlog doctor` looks for\n\n\
        Made from the table of rules; do not edit. A code never changes its meaning. `twinlog doctor --explain CODE` prints \
        one of these, `--ignore CODE` silences it.\n\n\
        - **error**: in ordinary use the pair does not work, or loses data, or its nodes come to differ.\n\
        - **warning**: it hurts when something else goes wrong, such as a crash, an outage or a fail-over.\n\
        - **info**: good to know.\n"
        .to_owned();
    let mut write = |text: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        let _ = page.write_fmt(text);
    };
    for area in Area::ALL {
        write(format_args!("\n## {}\n", area.title()));
        for rule in rules().into_iter().filter(|rule| rule.area() == area) {
            write(format_args!(
                "\n### {}: {}\n\n*{}.* {}\n\n**What to do:** {}\n",
                rule.code, rule.title, rule.severity, rule.why, rule.advice
            ));
        }
    }
    page
}
