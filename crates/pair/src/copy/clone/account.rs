//! The account as which the target reads the source's files: made for one CLONE, with a password that nobody keeps.

use std::convert::Infallible;

use secrecy::SecretString;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    secrets::generate_password,
    sql::{Sql, literal},
};

const USER: &str = "'twinlog_clone'@'%'";
pub(super) const DROP: &str = "DROP USER IF EXISTS 'twinlog_clone'@'%'";

/// A statement that holds a password, and what is shown of it.
pub(super) struct Spoken {
    pub(super) said: SecretString,
    pub(super) shown: String,
}

impl Spoken {
    fn new(sql: &Sql, password: &SecretString) -> Self {
        let Ok(said) = sql.expose(|_| Ok::<_, Infallible>(password.clone()));
        Self {
            said,
            shown: sql.to_string(),
        }
    }
}

/// Makes the account on the source anew. Returns the statement by which the target clones the source, which listens there.
pub(super) async fn make(
    source: &mut Conn,
    (host, port): (&str, u16),
) -> Result<Spoken, ConnError> {
    let password = generate_password();
    source.execute(DROP).await?;
    let create = Sql::new(format!("CREATE USER {USER} IDENTIFIED BY "))
        .secret("clone")
        .text(" REQUIRE SSL");
    let create = Spoken::new(&create, &password);
    source.execute_secret(&create.said, &create.shown).await?;
    source
        .execute(&format!("GRANT BACKUP_ADMIN ON *.* TO {USER}"))
        .await?;
    let clone = Sql::new(format!(
        "CLONE INSTANCE FROM 'twinlog_clone'@{}:{port} IDENTIFIED BY ",
        literal(host)
    ));
    let clone = clone.secret("clone").text(" REQUIRE SSL");
    Ok(Spoken::new(&clone, &password))
}
