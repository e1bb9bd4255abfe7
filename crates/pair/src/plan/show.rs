//! A plan as text: what `twinlog plan` prints.

use std::fmt;

use super::{Action, Plan};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{}. {}", number + 1, step.title)?;
            for line in step.action.to_string().lines() {
                writeln!(f, "   {line}")?;
            }
            writeln!(f, "   undo: {}", step.undo)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if self.open {
            writeln!(f, "then: look again, and do what turns out to be missing")?;
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { dir } | Self::Claim { dir } => write!(f, "mkdir {}", dir.display()),
            Self::MakeSecrets { dir, names } => names.iter().try_for_each(|name| {
                writeln!(f, "write {} (random, mode 0600)", dir.join(name).display())
            }),
            Self::MintCertificates { dir } => {
                write!(f, "write {}/*.pem (keys with mode 0600)", dir.display())
            }
            Self::WriteConfig { path, text } => {
                writeln!(f, "write {}:", path.display())?;
                text.lines().try_for_each(|line| writeln!(f, "  {line}"))
            }
            Self::PullImage { image } => write!(f, "docker pull {image}"),
            Self::CreateNetwork { name } => write!(f, "docker network create {name}"),
            Self::CreateContainer { command, config } => {
                writeln!(f, "{command}")?;
                writeln!(f, "with /etc/mysql/conf.d/twinlog.cnf:")?;
                config.lines().try_for_each(|line| writeln!(f, "  {line}"))
            }
            Self::DiscardContainer => write!(f, "docker rm, docker volume rm"),
            Self::Initialise {
                command,
                statements,
                ..
            } => {
                writeln!(f, "{command}")?;
                statements
                    .iter()
                    .try_for_each(|sql| writeln!(f, "  {sql};"))
            }
            Self::Start { command } => write!(f, "{command}"),
            Self::Await { pid } => write!(f, "process {pid} runs but does not listen yet"),
            Self::Restart { .. } => write!(f, "SIGTERM, wait until it is gone, start"),
            Self::Copy { way, .. } | Self::Unmake { way, .. } => {
                way.iter().try_for_each(|line| writeln!(f, "{line}"))
            }
            Self::Sql(statements) => statements.iter().try_for_each(|sql| writeln!(f, "{sql};")),
            Self::WaitFor { sql, value } => write!(f, "{sql}; until it is {value}"),
        }
    }
}
