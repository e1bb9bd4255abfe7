//! Writes that cross between rows and those that they refer to.

use super::{Case, ROWS, THREE, TWO_UNIQUE, UNIQUE};

const CHILD: &str = "CREATE TABLE {c} (id INT PRIMARY KEY, pid INT, v VARCHAR(40), FOREIGN KEY (pid) REFERENCES {t} (id))";
const CHILD_CASCADE: &str = "CREATE TABLE {c} (id INT PRIMARY KEY, pid INT, v VARCHAR(40), FOREIGN KEY (pid) \
    REFERENCES {t} (id) ON DELETE CASCADE)";

/// Rows that refer to rows.
pub(super) const FAMILIES: &[Case] = &[
    Case {
        name: "parent_goes_child_comes",
        start: &[ROWS, CHILD, THREE],
        a: &["DELETE FROM {t} WHERE id = 1"],
        b: &["INSERT INTO {c} VALUES (1, 1, '~b~')"],
    },
    Case {
        name: "parents_go_children_come",
        start: &[ROWS, CHILD, THREE],
        a: &[
            "BEGIN",
            "UPDATE {t} SET v = '~a~' WHERE id = 2",
            "DELETE FROM {t} WHERE id = 1",
            "COMMIT",
        ],
        b: &[
            "BEGIN",
            "INSERT INTO {c} VALUES (2, 2, '~b2~')",
            "INSERT INTO {c} VALUES (1, 1, '~b1~')",
            "COMMIT",
        ],
    },
    Case {
        name: "parent_moves_child_comes",
        start: &[ROWS, CHILD, THREE],
        a: &["UPDATE {t} SET id = 11, v = '~a~' WHERE id = 1"],
        b: &["INSERT INTO {c} VALUES (1, 1, '~b~')"],
    },
    Case {
        name: "parent_goes_child_moves_to_it",
        start: &[ROWS, CHILD, THREE, "INSERT INTO {c} VALUES (1, 2, 'x')"],
        a: &["DELETE FROM {t} WHERE id = 1"],
        b: &["UPDATE {c} SET pid = 1, v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "an_orphan_alone",
        start: &[ROWS, CHILD, THREE],
        a: &[
            "SET foreign_key_checks = 0",
            "INSERT INTO {c} VALUES (1, 77, '~a~')",
            "SET foreign_key_checks = 1",
        ],
        b: &[],
    },
    Case {
        name: "parent_goes_with_its_children",
        start: &[
            ROWS,
            CHILD_CASCADE,
            THREE,
            "INSERT INTO {c} VALUES (1, 1, 'x'), (2, 1, 'x')",
        ],
        a: &["DELETE FROM {t} WHERE id = 1"],
        b: &[
            "UPDATE {c} SET v = '~b1~' WHERE id = 1",
            "INSERT INTO {c} VALUES (3, 1, '~b3~')",
        ],
    },
    Case {
        name: "a_child_leaves_the_parent_that_goes",
        start: &[
            ROWS,
            CHILD_CASCADE,
            THREE,
            "INSERT INTO {c} VALUES (1, 1, 'x')",
        ],
        a: &["DELETE FROM {t} WHERE id = 1"],
        b: &["UPDATE {c} SET pid = 2, v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "a_parent_is_in_the_way",
        start: &[
            UNIQUE,
            "CREATE TABLE {c} (id INT PRIMARY KEY, pid INT, v VARCHAR(40), FOREIGN KEY (pid) REFERENCES {t} (id))",
        ],
        a: &[
            "INSERT INTO {t} VALUES (5, 77, '~a5~')",
            "INSERT INTO {c} VALUES (1, 5, '~a1~')",
        ],
        b: &["INSERT INTO {t} VALUES (4, 77, '~b~')"],
    },
    Case {
        name: "a_skipped_insert_that_deletes",
        start: &[TWO_UNIQUE, CHILD],
        a: &[
            "INSERT INTO {t} VALUES (5, 7, 70, '~a5~')",
            "INSERT INTO {t} VALUES (6, 8, 80, '~a6~')",
            "INSERT INTO {c} VALUES (1, 6, '~a1~')",
        ],
        b: &["INSERT INTO {t} VALUES (4, 7, 80, '~b~')"],
    },
];

/// Where an applier replaces a row that others refer to. MariaDB does not log what goes with it.
pub(super) const LOGGED_CASCADES: &[Case] = &[Case {
    name: "a_parent_with_its_child_is_in_the_way",
    start: &[UNIQUE, CHILD_CASCADE],
    a: &[
        "INSERT INTO {t} VALUES (5, 77, '~a5~')",
        "INSERT INTO {c} VALUES (1, 5, '~a1~')",
    ],
    b: &["INSERT INTO {t} VALUES (4, 77, '~b~')"],
}];

/// Rows that go or change with the row they refer to.
pub(super) const CASCADES: &[Case] = &[
    Case {
        name: "parent_goes_its_child_forgets",
        start: &[
            ROWS,
            "CREATE TABLE {c} (id INT PRIMARY KEY, pid INT, v VARCHAR(40), FOREIGN KEY (pid) REFERENCES {t} (id) \
             ON DELETE SET NULL)",
            THREE,
            "INSERT INTO {c} VALUES (1, 1, 'x')",
        ],
        a: &["DELETE FROM {t} WHERE id = 1"],
        b: &["INSERT INTO {c} VALUES (9, 1, '~b~')"],
    },
    Case {
        name: "parent_moves_with_its_children",
        start: &[
            ROWS,
            "CREATE TABLE {c} (id INT PRIMARY KEY, pid INT, v VARCHAR(40), FOREIGN KEY (pid) REFERENCES {t} (id) \
             ON UPDATE CASCADE)",
            THREE,
            "INSERT INTO {c} VALUES (1, 1, 'x')",
        ],
        a: &["UPDATE {t} SET id = 11, v = '~a~' WHERE id = 1"],
        b: &["INSERT INTO {c} VALUES (9, 1, '~b~')"],
    },
];
