// Written by `npm run build`.

use crate::File;

/// All files of the page.
#[rustfmt::skip]
pub const FILES: &[File] = &[
    File {
        path: "/assets/index-BwGSNRYQ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("dist/assets/index-BwGSNRYQ.js"),
        etag: "\"97f9b74c517fdd9358e69c5800a87ce3\"",
    },
    File {
        path: "/assets/style-CRp4knhE.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("dist/assets/style-CRp4knhE.css"),
        etag: "\"b87098ef69ea96f938c79d7d71fb42a1\"",
    },
    File {
        path: "/favicon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("dist/favicon.svg"),
        etag: "\"c36c0b950c7cb6560bb41752bcd0336c\"",
    },
    File {
        path: "/index.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("dist/index.html"),
        etag: "\"aeff2bf6a4fef18a6311da9d39abff44\"",
    },
];
