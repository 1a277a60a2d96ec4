//! Alert rules, and where their notifications go.

pub mod file; // the alerts file: rules, channels, escalation; read, checked, written back
