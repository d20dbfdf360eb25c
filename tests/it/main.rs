//! Native tests of the component: house rules, and the flow on virtual time.

mod tidy;
