//! All paths in one router.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::backend::Backend;
use crate::config::FaceConfig;
use crate::ct::{self, CtLog};
use crate::face::{Face, Shared, guard};
use crate::status_faces::{self, StatusFaces};
use crate::{certificates, chain, composed, consortium, events, node, snapshots, transactions};

/// The REST face of a node, ready for [`crate::serve`].
///
/// The rate limit takes the client's address from the request's `ConnectInfo<SocketAddr>`, which
/// [`crate::serve`] sets; without it all clients share one allowance.
pub fn router(backend: Arc<dyn Backend>, config: FaceConfig) -> Router {
    router_with_status(backend, config, None, None)
}

/// [`router`], with OCSP, CRLs and IKEv2 look-up and with Certificate Transparency beside.
pub fn router_with_status(
    backend: Arc<dyn Backend>,
    config: FaceConfig,
    status: Option<Arc<StatusFaces>>,
    ct: Option<Arc<CtLog>>,
) -> Router {
    let routes = Router::new()
        .merge(transactions::routes())
        .merge(certificates::routes())
        .merge(chain::routes())
        .merge(composed::routes())
        .merge(snapshots::routes())
        .merge(consortium::routes())
        .merge(events::routes())
        .merge(node::routes());
    let routes = match &status {
        Some(_) => routes.merge(status_faces::routes()),
        None => routes,
    };
    let routes = with_ct(routes, ct.as_ref());
    let routes = routes.fallback(node::no_such_path).method_not_allowed_fallback(node::method_not_allowed);
    guarded(routes, Face::new(backend, config).with_status(status).with_ct(ct))
}

fn with_ct(routes: Router<Shared>, ct: Option<&Arc<CtLog>>) -> Router<Shared> {
    match ct {
        Some(_) => routes.merge(ct::routes()),
        None => routes,
    }
}

/// OCSP, CRLs and IKEv2 look-up, Certificate Transparency without submission, and nothing else, ready for
/// [`crate::serve_plain`]. OCSP is answered at every path, so that the URLs in certificates need not change.
pub fn status_router(
    backend: Arc<dyn Backend>,
    config: FaceConfig,
    status: Arc<StatusFaces>,
    ct: Option<Arc<CtLog>>,
) -> Router {
    let routes = with_ct(status_faces::routes(), ct.as_ref())
        .route("/", get(status_faces::index).post(status_faces::ocsp_post))
        .fallback(status_faces::at_any_path)
        .method_not_allowed_fallback(status_faces::at_any_path);
    let mut face = Face::new(backend, config).with_status(Some(status)).with_ct(ct);
    face.is_plain = true;
    guarded(routes, face)
}

fn guarded(routes: Router<Shared>, face: Face) -> Router {
    let face = Arc::new(face);
    routes.layer(from_fn_with_state(face.clone(), guard)).with_state(face)
}
