//! The settings of a memory, as Python's users write them.

use std::path::PathBuf;
use std::time::Duration;

use ndcache::policy::Durability;
use ndcache::tier::{Share, Tier};
use ndcache::{Compression, Limits, Memory, Mode};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::memory::raised;

/// A time span in seconds, or a `timedelta`.
pub(crate) fn duration(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Duration> {
    if let Ok(span) = value.extract::<Duration>() {
        return Ok(span);
    }
    let seconds: f64 = value
        .extract()
        .map_err(|_| PyTypeError::new_err(format!("`{name}` is no number of seconds and no timedelta")))?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("`{name}` is {seconds}, expected seconds of 0 or more")))
}

/// Limits of a size, or of size, number and age.
pub(crate) fn limits_of(value: &Bound<'_, PyAny>) -> PyResult<Limits> {
    if let Ok(bytes) = value.extract::<u64>() {
        return Ok(Limits { bytes: Some(bytes), ..Limits::default() });
    }
    if let Ok(text) = value.extract::<String>() {
        return Limits::bytes(text).map_err(|error| raised(&error));
    }
    let dict = value.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("`limits` is neither a size (\"100G\", bytes) nor a dict of `bytes`, `items` and `age`")
    })?;
    let mut limits = Limits::default();
    for (name, value) in dict.iter() {
        match name.extract::<String>()?.as_str() {
            "bytes" => limits.bytes = limits_of(&value)?.bytes,
            "items" => limits.items = Some(value.extract()?),
            "age" => limits.age = Some(duration(&value, "age")?),
            other => {
                return Err(PyValueError::new_err(format!(
                    "`limits` has `{other}`, expected `bytes`, `items` and `age`"
                )));
            }
        }
    }
    Ok(limits)
}

/// What joblib's `compress` says: a flag, a level, or a method with a level.
pub(crate) fn compression_of(value: &Bound<'_, PyAny>) -> PyResult<Compression> {
    if value.is_none() {
        return Ok(Compression::None);
    }
    if let Ok(flag) = value.cast::<pyo3::types::PyBool>() {
        return Ok(if flag.is_true() { Compression::Gzip(3) } else { Compression::None });
    }
    if let Ok(level) = value.extract::<i64>() {
        return level_of(level);
    }
    if let Ok(method) = value.extract::<String>() {
        return method_of(&method, 3);
    }
    match value.extract::<(String, i64)>() {
        Ok((method, level)) => method_of(&method, level),
        Err(_) => {
            Err(PyTypeError::new_err("`compress` is neither a flag, nor a level from 0 to 9, nor (method, level)"))
        }
    }
}

fn level_of(level: i64) -> PyResult<Compression> {
    match level {
        0 => Ok(Compression::None),
        1..=9 => Ok(Compression::Gzip(level as _)),
        other => Err(PyValueError::new_err(format!("`compress` is {other}, expected a level from 0 to 9"))),
    }
}

fn method_of(method: &str, level: i64) -> PyResult<Compression> {
    match method {
        "gzip" | "zlib" => level_of(level),
        other => Err(PyValueError::new_err(format!("`compress` names `{other}`, expected \"gzip\" or \"zlib\""))),
    }
}

/// Folders that machines share: a text as `NDCACHE_REMOTE` has it (`rw:/nfs/team,/nfs/main`), or a list of such places.
fn tiers_of(value: &Bound<'_, PyAny>, share: Share, pickles: bool) -> PyResult<Vec<Tier>> {
    let places: Vec<String> = match value.extract::<String>() {
        Ok(text) => text.split(',').map(|place| place.trim().to_owned()).collect(),
        Err(_) => value.try_iter()?.map(|place| place_of(&place?)).collect::<PyResult<_>>()?,
    };
    let tier = |place: &String| match place.split_once("://") {
        // What follows may be a password.
        Some((scheme, _)) if !cfg!(feature = "remote") => Err(PyValueError::new_err(format!(
            "`remote` names a URL of `{scheme}`, expected a folder: this wheel was built without such places, as \
             `pip install ./python --config-settings=build-args=\"--features remote\"` builds it with them"
        ))),
        _ => Ok(place.parse::<Tier>().map_err(|error| raised(&error))?.share(share).pickles(pickles)),
    };
    places.iter().filter(|place| !place.is_empty()).map(tier).collect()
}

fn place_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(value.extract::<PathBuf>()?.to_string_lossy().into_owned())
}

/// With which machines results are shared, as `NDCACHE_REMOTE_SHARE` has it.
fn share_of(value: &Bound<'_, PyAny>) -> PyResult<Share> {
    let text: String = value.extract().map_err(|_| {
        PyTypeError::new_err("`share` is no text, expected \"target\", \"any\" or a name that machines have in common")
    })?;
    Ok(match text.as_str() {
        "target" => Share::Target,
        "any" => Share::Any,
        name => Share::Named(name.to_owned().leak()),
    })
}

fn mode_of(text: &str) -> PyResult<Mode> {
    Ok(match text {
        "read-write" => Mode::ReadWrite,
        "refresh" => Mode::Refresh,
        "read-only" => Mode::ReadOnly,
        "off" => Mode::Off,
        other => {
            return Err(PyValueError::new_err(format!(
                "`mode` is `{other}`, expected \"read-write\", \"refresh\", \"read-only\" or \"off\""
            )));
        }
    })
}

/// The names of the settings.
pub(crate) const OPTIONS: [&str; 19] = [
    "mmap_mode",
    "compress",
    "verbose",
    "limits",
    "expires",
    "min_duration",
    "mode",
    "pickle",
    "shared",
    "texts",
    "wait",
    "recheck",
    "durability",
    "readable",
    "remote",
    "share",
    "remote_wait",
    "salt",
    "statistics",
];

/// Opens a memory with these settings, as they are named in Python. Who loads `pickles` of others gets them from tiers, too.
pub(crate) fn open(
    py: Python<'_>,
    folder: &std::path::Path,
    options: &Bound<'_, PyDict>,
    pickles: bool,
) -> PyResult<Memory> {
    let get = |name: &str| -> PyResult<Option<Bound<'_, PyAny>>> {
        Ok(options.get_item(name)?.filter(|value| !value.is_none()))
    };
    let mut builder = Memory::builder(folder);
    if let Some(limits) = get("limits")? {
        builder = builder.limits(limits_of(&limits)?);
    }
    if let Some(age) = get("expires")? {
        builder = builder.expires(duration(&age, "expires")?);
    }
    if let Some(least) = get("min_duration")? {
        builder = builder.min_duration(duration(&least, "min_duration")?);
    }
    if let Some(mode) = get("mode")? {
        builder = builder.mode(mode_of(&mode.extract::<String>()?)?);
    }
    if let Some(wait) = get("wait")? {
        builder = builder.wait(duration(&wait, "wait")?);
    }
    if let Some(durability) = get("durability")? {
        let durability: String = durability.extract()?;
        builder = builder.durability(match durability.as_str() {
            "buffered" => Durability::Buffered,
            "synced" => Durability::Synced,
            "full" => Durability::Full,
            other => {
                return Err(PyValueError::new_err(format!(
                    "`durability` is `{other}`, expected \"buffered\", \"synced\" or \"full\""
                )));
            }
        });
    }
    if let Some(compress) = get("compress")? {
        builder = builder.compression(compression_of(&compress)?);
    }
    if let Some(readable) = get("readable")? {
        builder = builder.readable(readable.is_truthy()?);
    }
    if let Some(texts) = get("texts")? {
        builder = builder.texts(texts.is_truthy()?);
    }
    if let Some(salt) = get("salt")? {
        builder = builder.salt(salt.extract::<String>()?);
    }
    if let Some(statistics) = get("statistics")? {
        builder = builder.statistics(statistics.is_truthy()?);
    }
    let share = get("share")?.map_or(Ok(Share::Target), |share| share_of(&share))?;
    if let Some(remote) = get("remote")? {
        for tier in tiers_of(&remote, share, pickles)? {
            builder = builder.tier(tier);
        }
    }
    if let Some(wait) = get("remote_wait")? {
        builder = builder.tier_wait(duration(&wait, "remote_wait")?);
    }
    py.detach(|| builder.open()).map_err(|error| raised(&error))
}
