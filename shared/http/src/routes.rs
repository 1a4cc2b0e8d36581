/// The routes of a function, from its handlers: `router()` with their `OpenAPI` document, and
/// `plain_router()` without.
///
/// The document of a function with many routes takes milliseconds to put together, and a megabyte of
/// code: more than all the rest of a cold start, for something that a Lambda does not serve.
///
/// Each handler has a `#[utoipa::path]`, which says its method and path. Needs `axum`, `utoipa` and
/// `utoipa-axum` beside this crate.
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {
        /// The routes of this function, and their `OpenAPI` document.
        pub fn router() -> ::utoipa_axum::router::OpenApiRouter<$crate::AppState> {
            ::utoipa_axum::router::OpenApiRouter::new()
                $(.routes(::utoipa_axum::routes!($handler)))+
        }

        /// The routes of this function.
        pub fn plain_router() -> ::axum::Router<$crate::AppState> {
            use ::utoipa_axum::PathItemExt as _;
            let router = ::axum::Router::new();
            $(
                let router = ::utoipa_axum::paste! {{
                    let path = ::utoipa_axum::routes!(@path [path()] of $handler);
                    let methods = ::utoipa_axum::routes!(@path [methods()] of $handler);
                    methods.iter().fold(router, |router, method| {
                        router.route(&path, ::axum::routing::on(method.to_method_filter(), $handler))
                    })
                }};
            )+
            router
        }
    };
}
