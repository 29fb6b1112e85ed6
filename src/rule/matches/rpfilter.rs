//! `-m rpfilter`: whether an answer would leave by the interface that the packet came in on.

bitflags::bitflags! {
    /// `XT_RPFILTER_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Rpfilter: u8 {
        /// `--loose`.
        const LOOSE = 1;
        /// `--validmark`.
        const VALID_MARK = 2;
        /// `--accept-local`.
        const ACCEPT_LOCAL = 4;
        /// `--invert`.
        const INVERT = 8;
    }
}
