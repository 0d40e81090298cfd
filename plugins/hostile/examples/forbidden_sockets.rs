//! A component that imports `wasi:sockets`. It has to be refused when it is loaded.

#![allow(missing_docs, reason = "a component, not a library")]

difftest_sdk::metrics! {
    /// 1 if a connection opens.
    fn leak() -> f64 {
        f64::from(u8::from(std::net::TcpStream::connect(("127.0.0.1", 9)).is_ok()))
    }
}
