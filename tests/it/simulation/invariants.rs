//! What must be true when the world has come to rest.

use super::instance::Slots;
use super::stage::Stage;

pub(super) async fn check(stage: &Stage, _slots: &Slots) {
    stage.tell("everything has come to rest");
}
