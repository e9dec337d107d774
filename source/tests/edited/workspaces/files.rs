//! The files of a workspace.

/// The binary of a package whose library uses a crate that is called otherwise, which uses a third.
pub(super) const FILES: [(&str, &str); 13] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"shapes\", \"deep\", \"far\", \"app\"]\nresolver = \"2\"\n[workspace.package]\nedition = \"2021\"\n",
    ),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition.workspace = true\n[features]\nloud = []\n[dependencies]\nforms = { path = \"../shapes\", package = \"shapes\" }\n",
    ),
    (
        "app/src/main.rs",
        r#"#[macro_use]
extern crate forms as _;
use app::prelude::*;
use app::Window as _;

mod hiding {
    use forms::forms;

    pub fn hidden() -> f64 {
        forms() + forms::named::bottom()
    }
}

mod own {
    macro_rules! halved {
        ($x:expr) => {
            $x / 20.0
        };
    }

    pub fn other() -> f64 {
        halved!(2.0)
    }
}

fn halved() -> f64 {
    halved!(4.0)
}

fn root() -> f64 {
    app::weights::weight(2.0) + forms::area(&forms::Circle { radius: 1.0 }) + app::times!(2.0) + Kept.apply(1.0)
        + vec![1.0f64].windowed() + forms::deep::bottom() + app::loudness()
}

fn narrow() -> f64 {
    app::weights::weight(3.0)
}

fn generic<T: forms::Area>(shape: T) -> f64 {
    shape.area()
}

fn versioned() -> usize {
    forms::version().len()
}

fn main() {
    println!("{} {} {} {}", root(), narrow(), generic(forms::Circle { radius: 2.0 }), versioned());
    println!("{} {} {}", hiding::hidden(), halved(), own::other());
}
"#,
    ),
    (
        "app/src/lib.rs",
        r#"pub mod weights;
mod hidden;
pub mod prelude {
    pub use crate::hidden::Kept;
}

#[macro_export]
macro_rules! times {
    ($x:expr) => {
        $crate::factor() * $x
    };
}

#[doc(hidden)]
pub fn factor() -> f64 {
    3.0
}

pub trait Window {
    fn windowed(&self) -> f64;
}

impl Window for Vec<f64> {
    fn windowed(&self) -> f64 {
        self.len() as f64 * 0.25
    }
}

pub fn loudness() -> f64 {
    if cfg!(feature = "loud") { 11.0 } else { 4.0 }
}

pub fn unrelated() -> f64 {
    1000.0
}
"#,
    ),
    (
        "app/src/weights.rs",
        "pub fn weight(x: f64) -> f64 {\n    x * scale() + forms::offset()\n}\n\nfn scale() -> f64 {\n    0.5\n}\n",
    ),
    (
        "app/src/hidden.rs",
        "pub struct Kept;\n\nimpl Kept {\n    pub fn apply(&self, x: f64) -> f64 {\n        x + 7.0\n    }\n\n    pub fn other(&self) -> f64 {\n        77.0\n    }\n}\n",
    ),
    (
        "shapes/Cargo.toml",
        "[package]\nname = \"shapes\"\nversion = \"0.1.0\"\nedition.workspace = true\n[features]\nfast = []\n[dependencies]\ndeep = { path = \"../deep\" }\nnamed_otherwise = { path = \"../far\", package = \"far\" }\n",
    ),
    (
        "shapes/src/lib.rs",
        r#"pub use deep;
mod circle;
pub use circle::*;

pub mod named {
    pub fn bottom() -> f64 {
        700.0
    }
}

pub fn forms() -> f64 {
    70.0
}

#[macro_export]
macro_rules! halved {
    ($x:expr) => {
        $x / 2.0
    };
}

pub trait Area {
    fn area(&self) -> f64;
    fn twice(&self) -> f64 {
        self.area() * 2.0
    }
}

pub fn area(shape: &dyn Area) -> f64 {
    shape.twice()
}

pub fn offset() -> f64 {
    deep::bottom() + if cfg!(feature = "fast") { 1.0 } else { 2.0 }
}

#[cfg(feature = "fast")]
pub fn by_feature() -> f64 {
    1.5
}

#[cfg(not(feature = "fast"))]
pub fn by_feature() -> f64 {
    2.5
}

pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

pub fn lost() -> f64 {
    named_otherwise::bottom()
}
"#,
    ),
    (
        "shapes/src/circle.rs",
        "use super::Area;\n\npub struct Circle {\n    pub radius: f64,\n}\n\nimpl Area for Circle {\n    fn area(&self) -> f64 {\n        self.radius * 3.0 + crate::by_feature()\n    }\n}\n",
    ),
    ("far/Cargo.toml", "[package]\nname = \"far\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
    ("far/src/lib.rs", "pub fn bottom() -> f64 {\n    6.0\n}\n"),
    ("deep/Cargo.toml", "[package]\nname = \"deep\"\nversion = \"0.1.0\"\nedition = \"2018\"\n"),
    ("deep/src/lib.rs", "pub fn bottom() -> f64 {\n    0.125\n}\n\npub fn aside() -> f64 {\n    9.0\n}\n"),
];
