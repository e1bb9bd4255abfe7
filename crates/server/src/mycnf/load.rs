//! Reading option files: lines to options, and includes followed on disk.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::line::{self, Flaw, LINE_BYTES_MAX, Line};
use super::{Error, Include, Opt, OptionFile, Warning};

/// How deep files may include each other, from the servers' `my_default.c`.
const INCLUDE_DEPTH_MAX: usize = 10;

/// Any user may write: the permission bit for which servers ignore a file.
const WORLD_WRITABLE: u32 = 0o002;

pub(super) fn parse(path: &Path, text: &str) -> Result<OptionFile, Error> {
    let mut reader = Reader {
        result: empty(path),
        follow: None,
    };
    reader.text(path, text.as_bytes(), 0)?;
    Ok(reader.result)
}

pub(super) fn load(path: &Path, working_dir: &Path) -> Result<OptionFile, Error> {
    let mut reader = Reader {
        result: empty(path),
        follow: Some(working_dir),
    };
    reader.file(path, 0).map_err(|error| match error {
        FileError::Read(source) => Error::Read {
            path: path.to_owned(),
            source,
        },
        FileError::Text(error) => error,
    })?;
    Ok(reader.result)
}

fn empty(path: &Path) -> OptionFile {
    OptionFile {
        path: path.to_owned(),
        options: Vec::new(),
        includes: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A file that cannot be read is fatal or not depending on who named it; one that cannot be understood always is.
enum FileError {
    Read(std::io::Error),
    Text(Error),
}

struct Reader<'a> {
    result: OptionFile,
    /// Where relative includes are taken from; `None` to leave includes alone.
    follow: Option<&'a Path>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), FileError> {
        let metadata = fs::metadata(path).map_err(FileError::Read)?;
        if metadata.is_file() && metadata.permissions().mode() & WORLD_WRITABLE != 0 {
            self.result.warnings.push(Warning::WorldWritable {
                path: path.to_owned(),
            });
            return Ok(());
        }
        let bytes = fs::read(path).map_err(FileError::Read)?;
        self.text(path, &bytes, depth).map_err(FileError::Text)
    }

    fn text(&mut self, path: &Path, bytes: &[u8], depth: usize) -> Result<(), Error> {
        let mut group = None;
        for (index, raw) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let (file, line) = (path.to_owned(), index + 1);
            if raw.len() > LINE_BYTES_MAX {
                self.result.warnings.push(Warning::LongLine {
                    file: file.clone(),
                    line,
                });
            }
            // Comments may be in any encoding, so a line that is not UTF-8 is refused only for its option.
            let text = String::from_utf8_lossy(raw);
            let lossy = matches!(text, Cow::Owned(_));
            match line::read(&text).map_err(|flaw| located(flaw, path, line))? {
                Line::Blank => {}
                Line::Group(name) => group = Some(name.to_owned()),
                Line::Option { name, value, cut } => {
                    let value = value.as_deref();
                    let replaced = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
                    if lossy && (replaced(name) || value.is_some_and(replaced)) {
                        return Err(Error::Encoding { file, line });
                    }
                    let Some(group) = &group else {
                        return Err(Error::NoGroup { file, line });
                    };
                    if cut {
                        self.result.warnings.push(Warning::CutValue {
                            file: file.clone(),
                            line,
                        });
                    }
                    self.result
                        .options
                        .push(Opt::new(group, name, value, file, line));
                }
                Line::Include {
                    directory,
                    path,
                    comment,
                } => {
                    if comment {
                        self.result.warnings.push(Warning::IncludeComment {
                            file: file.clone(),
                            line,
                        });
                    }
                    let include = Include {
                        path: PathBuf::from(path),
                        directory,
                        file,
                        line,
                    };
                    self.result.includes.push(include.clone());
                    self.include(include, depth)?;
                }
                Line::UnknownDirective => self
                    .result
                    .warnings
                    .push(Warning::UnknownDirective { file, line }),
            }
        }
        Ok(())
    }

    fn include(&mut self, include: Include, depth: usize) -> Result<(), Error> {
        let Some(working_dir) = self.follow else {
            return Ok(());
        };
        let Include {
            path,
            directory,
            file,
            line,
        } = include;
        let path = working_dir.join(path);
        if depth >= INCLUDE_DEPTH_MAX {
            self.result
                .warnings
                .push(Warning::IncludeTooDeep { file, line });
            return Ok(());
        }
        let listed = if directory {
            list(&path)
        } else {
            Ok(vec![path.clone()])
        };
        let files = listed.map_err(|source| Error::IncludeDir {
            file: file.clone(),
            line,
            path,
            source,
        })?;
        for path in files {
            match self.file(&path, depth + 1) {
                Ok(()) => {}
                Err(FileError::Read(_)) => {
                    self.result.warnings.push(Warning::IncludeMissing {
                        file: file.clone(),
                        line,
                        path,
                    });
                }
                Err(FileError::Text(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The `*.cnf` files of a folder by name, hidden ones too, as servers take them.
fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(b".cnf") && !entry.path().is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn located(flaw: Flaw, file: &Path, line: usize) -> Error {
    let file = file.to_owned();
    match flaw {
        Flaw::GroupUnclosed => Error::GroupUnclosed { file, line },
        Flaw::NoName => Error::NoName { file, line },
        Flaw::NoPath { directory } => Error::NoPath {
            file,
            line,
            directory,
        },
    }
}
