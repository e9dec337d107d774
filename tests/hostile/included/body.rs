{
    // What a file includes lies beside it.
    let words = include_str!("words.txt").split(' ').count();
    if cfg!(target_pointer_width = "64") { words + env!("CARGO_PKG_NAME").len() } else { words }
}
