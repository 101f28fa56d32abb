//! Secrets of known shapes, taken out of texts before they leave the machine.
//!
//! What is replaced is told by its shape alone: the prefixes that vendors give their keys,
//! tokens in headers, private keys, JSON web tokens, passwords in URLs, and variables whose
//! name says that they hold a secret. In its place stands its kind and a short digest, so
//! that equal secrets stay equal and no one is shown. A secret without a shape is not found.

use std::borrow::Cow;
use std::mem;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

/// Replaces secrets, and counts what it replaced.
///
/// ```
/// use forebear_wire::redact::Redactor;
///
/// let mut redactor = Redactor::new();
/// let text = redactor.text("git clone https://me:hunter2secret@example.com/x.git");
/// assert!(text.starts_with("git clone https://me:[redacted url-password "), "{text}");
/// assert!(text.ends_with("]@example.com/x.git"), "{text}");
/// assert_eq!(redactor.count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Redactor {
    is_on: bool,
    count: u64,
}

impl Redactor {
    /// One that replaces every secret that it finds.
    pub fn new() -> Self {
        Self { is_on: true, count: 0 }
    }

    /// One that leaves everything as it is.
    pub fn off() -> Self {
        Self { is_on: false, count: 0 }
    }

    /// How many secrets were replaced so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The text without its secrets. O(its length).
    ///
    /// What was cut off by a `…` is taken for a secret where it looks like a part of one: its
    /// beginning, by which it would be known, may be gone.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if !self.is_on || !is_suspicious(text) {
            return Cow::Borrowed(text);
        }
        let text = self.replace(&SHAPES, text, is_meant);
        match text {
            Cow::Borrowed(text) => self.replace(&OPAQUE, text, is_opaque),
            Cow::Owned(text) => Cow::Owned(self.replace(&OPAQUE, &text, is_opaque).into_owned()),
        }
    }

    /// Takes the secrets out of all texts of a JSON value, names of members included. A text
    /// whose member's name says that it is a secret is one.
    pub fn json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(members) => {
                for (name, member) in &mut *members {
                    self.json(member);
                    if let Value::String(text) = member
                        && self.is_on
                        && is_value_of(name, text)
                    {
                        *text = self.mark("variable", text);
                    }
                }
                if self.is_on && members.keys().any(|name| is_suspicious(name)) {
                    let renamed: Map<String, Value> = mem::take(members)
                        .into_iter()
                        .map(|(name, member)| (self.text(&name).into_owned(), member))
                        .collect();
                    *members = renamed;
                }
            }
            _ => {}
        }
    }

    fn replace<'t>(
        &mut self,
        shapes: &Shapes,
        text: &'t str,
        is_secret: impl Fn(&ShapeMatch<'_>) -> bool,
    ) -> Cow<'t, str> {
        let mut replaced = String::new();
        let mut kept = 0;
        let mut at = 0;
        while let Some(found) = shapes.regex.captures_at(text, at) {
            // Each shape has one group of its own, which is the secret.
            let mut secret = found.iter().skip(1).zip(shapes.kinds.iter());
            let Some((secret, kind)) = secret.find_map(|(s, kind)| Some((s?, kind))) else {
                break;
            };
            let whole = found.get_match().as_str();
            if !is_secret(&ShapeMatch { kind, whole, secret: secret.as_str() }) {
                // There may be one of another shape in what follows the name, of which there
                // is some in each shape that is asked about.
                at = secret.start();
                continue;
            }
            at = match *kind {
                "private-key" => end_of_key(text, secret.end()),
                _ => secret.end(),
            };
            replaced.push_str(&text[kept..secret.start()]);
            replaced.push_str(&self.mark(kind, &text[secret.start()..at]));
            kept = at;
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        replaced.push_str(&text[kept..]);
        Cow::Owned(replaced)
    }

    /// What stands in place of a secret, which it counts.
    fn mark(&mut self, kind: &str, secret: &str) -> String {
        self.count += 1;
        format!("[redacted {kind} {:06x}]", digest(secret))
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

/// Regular expressions, one group in each, as one.
struct Shapes {
    regex: Regex,
    kinds: Vec<&'static str>,
}

impl Shapes {
    fn new(shapes: &[(&'static str, &str)]) -> Self {
        // Keys are of ASCII, and boundaries between words of Unicode cost a slower search. In
        // raw JSON the letter of an escape, such as that of a line's end, may stand before one.
        let all: Vec<String> = shapes
            .iter()
            .map(|(_, shape)| match shape.strip_prefix(r"\b") {
                Some(rest) => format!(r"(?:(?:\b|\\[bfnrt]){rest})"),
                None => format!("(?:{shape})"),
            })
            .map(|shape| shape.replace(r"\b", r"(?-u:\b)"))
            .collect();
        // A test matches each of them, so they compile.
        #[allow(clippy::unwrap_used)]
        let regex = Regex::new(&all.join("|")).unwrap();
        Self { regex, kinds: shapes.iter().map(|(kind, _)| *kind).collect() }
    }
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::new(SECRETS));
static OPAQUE: LazyLock<Shapes> = LazyLock::new(|| Shapes::new(FRAGMENTS));

/// Whether any shape is in the text: cheaper to say than where.
fn is_suspicious(text: &str) -> bool {
    text.len() >= SHORTEST_BYTES && (SHAPES.regex.is_match(text) || OPAQUE.regex.is_match(text))
}

/// What a shape fits.
struct ShapeMatch<'t> {
    kind: &'t str,
    /// All that fits it.
    whole: &'t str,
    /// The part that is to be replaced.
    secret: &'t str,
}

/// Whether what fits a shape is meant by it.
fn is_meant(found: &ShapeMatch<'_>) -> bool {
    match found.kind {
        "variable" => {
            let name = found.whole.strip_prefix('\\').map_or(found.whole, |escape| &escape[1..]);
            let name = name.split(|c| !is_of_name(c)).next().unwrap_or_default();
            is_value_of(name, found.secret)
        }
        _ => true,
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a value is a secret since its name says that it is one: `API_KEY`, `db_password`,
/// `clientSecret`; not `TOKEN_FILE`, which says where it is, nor `MAX_TOKENS`.
fn is_value_of(name: &str, value: &str) -> bool {
    let fits = value.len() >= VALUE_BYTES_MIN
        && !value.starts_with(['$', '<', '{', '[', '*'])
        && !value.contains(char::is_whitespace);
    if !fits || !names_secret(name) {
        return false;
    }
    // Code and texts about code have such words, too; variables in capitals hold values.
    let has = |of: fn(&u8) -> bool| value.as_bytes().iter().any(of);
    !name.contains(|c: char| c.is_ascii_lowercase())
        || has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Whether what has this name is a secret, and not where it is or how many there are.
fn names_secret(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || was_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        was_small = c.is_ascii_lowercase();
    }
    let is_about = words.last().is_some_and(|word| ABOUT_SECRETS.contains(&word.as_str()));
    let is_one = words.iter().any(|word| SECRET_WORDS.iter().any(|of| word.ends_with(of)));
    let is_key = words.windows(2).any(|pair| pair[1] == "key" && KEYS.contains(&pair[0].as_str()));
    !is_about && (is_one || is_key)
}

/// Whether a word is none of a language: letters of both sizes and digits, mixed. Words of
/// code are mixed, too, so more is asked of what stands in the middle of a text; and of what
/// has slashes, as paths have, one part alone has to be long enough.
fn is_opaque(found: &ShapeMatch<'_>) -> bool {
    if found.kind == "key-body" {
        return is_mixed(found.secret, 3);
    }
    let mut parts = found.secret.split('/');
    parts.any(|part| part.len() >= FRAGMENT_BYTES_MIN && is_mixed(part, 2))
}

fn is_mixed(word: &str, least: usize) -> bool {
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().filter(|byte| of(byte)).count() >= least;
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

/// Where the private key ends whose first line ends here: behind its last line, else behind
/// what looks like its body, where the rest was cut off.
fn end_of_key(text: &str, body: usize) -> usize {
    let most = text.floor_char_boundary(body.saturating_add(KEY_BYTES_MAX));
    let rest = &text[body..most];
    if let Some(end) = KEY_END.find(rest) {
        return body + end.end();
    }
    let mut end = 0;
    while let Some(word) = KEY_WORD.find(&rest[end..]) {
        let after = &rest[end + word.end()..];
        let is_cut = after.is_empty() || after.starts_with('…');
        if !is_cut && word.len() < FRAGMENT_BYTES_MIN {
            break;
        }
        end += word.end();
    }
    body + end
}

/// The beginning of a digest: enough to tell secrets apart, too little to check a guess by.
fn digest(secret: &str) -> u32 {
    let digest =
        blake3::derive_key("forebear wire: digest of a redacted secret", secret.as_bytes());
    u32::from_be_bytes([0, digest[0], digest[1], digest[2]])
}

/// Kinds of secrets and their shapes, the more special first. One group in each is what is
/// replaced.
const SECRETS: &[(&str, &str)] = &[
    (
        "private-key",
        // The first line; `end_of_key` says how far it goes.
        r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)",
    ),
    ("age-key", r"(AGE-SECRET-KEY-1[A-Z0-9]{20,})"),
    ("jwt", r"\b(eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3})"),
    ("anthropic-key", r"\b(sk-ant-[A-Za-z0-9_-]{8,})"),
    ("openrouter-key", r"\b(sk-or-[A-Za-z0-9_-]{16,})"),
    (
        "openai-key",
        r"\b(sk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9_-]*[A-Za-z0-9]{20}[A-Za-z0-9_-]*)",
    ),
    ("github-token", r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("gitlab-token", r"\b(gl(?:pat|dt|rt|ptt|ft|soat|cbt|imt|agent|oas)-[A-Za-z0-9_.-]{16,})"),
    ("aws-key-id", r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b"),
    (
        "aws-secret-key",
        r#"(?i:aws_?secret_?access_?key)["' ]{0,3}(?:[:=]|=>)["' ]{0,3}([A-Za-z0-9/+=]{40})"#,
    ),
    ("google-key", r"\b(AIza[A-Za-z0-9_-]{30,})"),
    ("google-secret", r"\b(GOCSPX-[A-Za-z0-9_-]{20,})"),
    ("google-token", r"\b(ya29\.[A-Za-z0-9_.-]{20,})"),
    ("slack-token", r"\b(xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})"),
    ("slack-webhook", r"hooks\.slack\.com/services/(T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]+)"),
    ("discord-webhook", r"discord(?:app)?\.com/api/webhooks/([0-9]+/[A-Za-z0-9_-]{20,})"),
    ("stripe-key", r"\b((?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,})"),
    ("sendgrid-key", r"\b(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
    ("twilio-key", r"\b((?:SK|AC)[0-9a-f]{32})\b"),
    ("mailgun-key", r"\b(key-[0-9a-f]{32})\b"),
    ("mailchimp-key", r"\b([0-9a-f]{32}-us[0-9]{1,2})\b"),
    ("npm-token", r"\b(npm_[A-Za-z0-9]{30,})"),
    ("pypi-token", r"\b(pypi-AgE[A-Za-z0-9_-]{30,})"),
    ("crates-token", r"\b(cio[A-Za-z0-9]{32})\b"),
    ("docker-token", r"\b(dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,})"),
    ("huggingface-token", r"\b(hf_[A-Za-z0-9]{30,})"),
    ("replicate-token", r"\b(r8_[A-Za-z0-9]{30,})"),
    ("groq-key", r"\b(gsk_[A-Za-z0-9]{40,})"),
    ("xai-key", r"\b(xai-[A-Za-z0-9]{40,})"),
    ("perplexity-key", r"\b(pplx-[A-Za-z0-9]{40,})"),
    ("tavily-key", r"\b(tvly-[A-Za-z0-9-]{20,})"),
    ("digitalocean-token", r"\b(do[opr]_v1_[a-f0-9]{60,})"),
    ("shopify-token", r"\b(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})"),
    ("linear-key", r"\b(lin_(?:api|oauth)_[A-Za-z0-9]{30,})"),
    ("notion-token", r"\b(ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43})\b"),
    ("databricks-token", r"\b(dapi[0-9a-f]{32})"),
    ("supabase-key", r"\b(sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,})"),
    ("vault-token", r"\b(hv[sbr]\.[A-Za-z0-9_-]{20,})"),
    ("terraform-token", r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,})"),
    ("atlassian-token", r"\b(ATATT[A-Za-z0-9_=-]{40,})"),
    ("figma-token", r"\b(figd_[A-Za-z0-9_-]{30,})"),
    ("postman-key", r"\b(PMAK-[A-Za-z0-9-]{40,})"),
    ("sentry-token", r"\b(sntr(?:ys|yu)_[A-Za-z0-9+/=_-]{30,})"),
    ("grafana-token", r"\b(glsa_[A-Za-z0-9_]{30,}|glc_[A-Za-z0-9+/=]{30,})"),
    ("newrelic-key", r"\b(NRAK-[A-Z0-9]{20,})"),
    ("doppler-token", r"\b(dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,})"),
    ("fly-token", r"\b(FlyV1 [A-Za-z0-9_,/+=-]{30,}|fo1_[A-Za-z0-9_-]{30,})"),
    ("telegram-token", r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})"),
    ("azure-key", r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})"),
    ("azure-signature", r"[?&]sig=([A-Za-z0-9%+/]{30,}(?:%3D|=)?)"),
    ("url-password", r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>\\\[\]]*:([^\s/@"'<>\\\[\]$]+)@"#),
    (
        "authorization",
        r#"(?i:authorization)["' ]{0,3}[:=]["' ]{0,3}(?i:bearer|basic|token|digest)\s+([A-Za-z0-9._~+/=-]{8,})"#,
    ),
    ("bearer-token", r"\b(?i:bearer)\s+([A-Za-z0-9._~+/-]{20,}=*)"),
    (
        "api-key-header",
        r#"(?i:x-api-key|api-key|x-auth-token)["' ]{0,3}[:=]["' ]{0,3}([A-Za-z0-9._~+/=-]{12,})"#,
    ),
    (
        "variable",
        r#"\b(?:[A-Z][A-Z0-9_]*)?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_KEY|APIKEY|ACCESS_KEY|PRIVATE_KEY|AUTH_KEY)[A-Z0-9_]{0,24}=\\?["']?([A-Za-z0-9+/~._!@#%^&=:-]{8,})"#,
    ),
    // "name": "value", as it stands in JSON and in a text within JSON.
    (
        "variable",
        r#"\b[A-Za-z0-9_-]*(?i:passw|passphrase|secret|token|key)[A-Za-z0-9_-]{0,24}\\?["']\s*[:=]\s*\\?["']([^"'\\\s]{8,})"#,
    ),
];

/// Parts of secrets whose beginning is cut off, and lines of private keys. They are checked
/// with [`is_opaque`].
const FRAGMENTS: &[(&str, &str)] = &[
    ("fragment", r"…\]? ?([A-Za-z0-9+/_=-]{16,})"),
    ("key-body", r"(?:\s|\\n)([A-Za-z0-9+/]{64,76})"),
];

/// Words, whole or at the end of one, of names whose values are secrets.
const SECRET_WORDS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey"];

/// Words that make a secret of a key which they stand before.
const KEYS: &[&str] = &["api", "access", "private", "secret", "auth", "signing", "encryption"];

/// Last words of names that say something about a secret and are none.
const ABOUT_SECRETS: &[&str] = &[
    "file", "path", "name", "dir", "folder", "url", "uri", "endpoint", "type", "count", "limit",
    "length", "size", "ttl", "expiry", "expires", "env", "var",
];

/// The last line of a private key.
static KEY_END: LazyLock<Regex> = LazyLock::new(|| {
    // A test matches it, so it compiles.
    #[allow(clippy::unwrap_used)]
    Regex::new("-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----").unwrap()
});

/// A line of a private key's body, as it is or within JSON.
static KEY_WORD: LazyLock<Regex> = LazyLock::new(|| {
    // A test matches it, so it compiles.
    #[allow(clippy::unwrap_used)]
    Regex::new(r"^(?:\s|\\[nrt])*[A-Za-z0-9+/=]+").unwrap()
});

/// Bytes below which no shape fits.
const SHORTEST_BYTES: usize = 10;

/// Bytes of a value that its name alone makes a secret.
const VALUE_BYTES_MIN: usize = 8;

/// Bytes of a part of a secret, below which it may be a word.
const FRAGMENT_BYTES_MIN: usize = 16;

/// Bytes of a private key, PGP's among them.
const KEY_BYTES_MAX: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A secret of each kind. They are put together here, so that no scanner of
    /// repositories takes them for real ones.
    fn samples() -> Vec<(&'static str, String)> {
        let long = |of: &str, length: usize| of.chars().cycle().take(length).collect::<String>();
        let mixed = |length| long("aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0z", length);
        let hex = |length| long("0123456789abcdef", length);
        let upper = |length| long("ABCD2345EFGH6789", length);
        vec![
            (
                "private-key",
                format!(
                    "-----BEGIN RSA {}-----\n{}\n-----END RSA PRIVATE KEY-----",
                    "PRIVATE KEY",
                    mixed(64)
                ),
            ),
            ("age-key", format!("AGE-SECRET-{}1{}", "KEY-", upper(58))),
            ("jwt", format!("eyJ{}.{}.{}", mixed(30), mixed(40), mixed(43))),
            ("anthropic-key", format!("sk-{}-api03-{}", "ant", mixed(90))),
            ("openrouter-key", format!("sk-{}-v1-{}", "or", hex(64))),
            ("openai-key", format!("sk-{}-{}", "proj", mixed(48))),
            ("openai-key", format!("sk{}{}", "-", mixed(48))),
            ("github-token", format!("ghp{}{}", "_", mixed(36))),
            ("github-token", format!("github{}{}", "_pat_", mixed(60))),
            ("gitlab-token", format!("glpat{}{}", "-", mixed(20))),
            ("aws-key-id", format!("AKIA{}", upper(16))),
            ("aws-secret-key", format!("aws_secret_access_key = {}", mixed(40))),
            ("google-key", format!("AIza{}", mixed(35))),
            ("google-secret", format!("GOCSPX{}{}", "-", mixed(28))),
            ("google-token", format!("ya29{}{}", ".", mixed(60))),
            ("slack-token", format!("xoxb{}{}", "-", mixed(40))),
            (
                "slack-webhook",
                format!("https://hooks.slack.com/services/T{0}/B{0}/{1}", upper(8), mixed(24)),
            ),
            ("discord-webhook", format!("https://discord.com/api/webhooks/123456/{}", mixed(60))),
            ("stripe-key", format!("sk_{}_{}", "live", mixed(24))),
            ("sendgrid-key", format!("SG.{}.{}", mixed(22), mixed(43))),
            ("twilio-key", format!("SK{}", hex(32))),
            ("mailgun-key", format!("key-{}", hex(32))),
            ("mailchimp-key", format!("{}-us12", hex(32))),
            ("npm-token", format!("npm{}{}", "_", mixed(36))),
            ("pypi-token", format!("pypi-{}{}", "AgE", mixed(60))),
            ("crates-token", format!("cio{}", mixed(32))),
            ("docker-token", format!("dckr{}{}", "_pat_", mixed(27))),
            ("huggingface-token", format!("hf{}{}", "_", mixed(34))),
            ("replicate-token", format!("r8{}{}", "_", mixed(37))),
            ("groq-key", format!("gsk{}{}", "_", mixed(52))),
            ("xai-key", format!("xai{}{}", "-", mixed(80))),
            ("perplexity-key", format!("pplx{}{}", "-", mixed(48))),
            ("tavily-key", format!("tvly{}{}", "-", mixed(32))),
            ("digitalocean-token", format!("dop{}{}", "_v1_", hex(64))),
            ("shopify-token", format!("shpat{}{}", "_", hex(32))),
            ("linear-key", format!("lin{}{}", "_api_", mixed(40))),
            ("notion-token", format!("ntn{}{}", "_", mixed(46))),
            ("databricks-token", format!("dapi{}", hex(32))),
            ("supabase-key", format!("sbp{}{}", "_", hex(40))),
            ("vault-token", format!("hvs{}{}", ".", mixed(30))),
            ("terraform-token", format!("{}.atlasv1.{}", mixed(14), mixed(60))),
            ("atlassian-token", format!("ATATT{}", mixed(60))),
            ("figma-token", format!("figd{}{}", "_", mixed(40))),
            ("postman-key", format!("PMAK-{}-{}", hex(24), hex(34))),
            ("sentry-token", format!("sntrys{}{}", "_", mixed(60))),
            ("grafana-token", format!("glsa{}{}", "_", mixed(40))),
            ("newrelic-key", format!("NRAK-{}", upper(27))),
            ("doppler-token", format!("dp{}{}", ".st.", mixed(43))),
            ("fly-token", format!("fo1{}{}", "_", mixed(43))),
            ("telegram-token", format!("123456789:{}{}", "AA", mixed(33))),
            ("azure-key", format!("AccountKey={}==", mixed(86))),
            ("azure-signature", format!("https://x/y?sv=1&sig={}%3D", mixed(43))),
            ("url-password", "postgres://admin:pa55-word@db.internal/x".to_owned()),
            ("authorization", format!("Authorization: Basic {}=", mixed(20))),
            ("bearer-token", format!("bearer {}", mixed(30))),
            ("api-key-header", format!("x-api-key: {}", mixed(24))),
            ("variable", format!("export MY_APP_SECRET={}", mixed(20))),
        ]
    }

    #[test]
    fn each_kind_is_found_and_none_of_it_left() {
        let mut met = Vec::new();
        for (kind, secret) in samples() {
            let mut redactor = Redactor::new();
            let text = format!("before {secret} after");
            let redacted = redactor.text(&text).into_owned();
            assert!(redacted.contains(&format!("[redacted {kind} ")), "{kind}: {redacted}");
            assert_eq!(redactor.count(), 1, "{kind}: {redacted}");
            assert!(redacted.starts_with("before ") && redacted.ends_with(" after"), "{redacted}");
            // No run of its letters is there any more.
            let body =
                secret.split(['.', '/', ' ', '=', '\n', ':', '@']).max_by_key(|part| part.len());
            let body = body.filter(|body| body.len() > 12 && kind != "url-password");
            assert!(body.is_none_or(|body| !redacted.contains(body)), "{kind}: {redacted}");
            // Redacting again changes nothing.
            assert_eq!(redactor.text(&redacted), redacted, "{kind}");
            met.push(kind);
        }
        let unmet: Vec<_> = SECRETS.iter().filter(|(kind, _)| !met.contains(kind)).collect();
        assert!(unmet.is_empty(), "no sample of {unmet:?}");
    }

    #[test]
    fn equal_secrets_stay_equal_and_others_differ() {
        let mut redactor = Redactor::new();
        let all: Vec<String> = ["one-password", "one-password", "two-password"]
            .iter()
            .map(|password| redactor.text(&format!("https://u:{password}@h/")).into_owned())
            .collect();
        assert_eq!(all[0], all[1]);
        assert_ne!(all[0], all[2]);
        assert_eq!(redactor.count(), 3);
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            "sk-learn is a library",
            "the token was refused",
            "let token = next_token(&mut tokens)?;",
            "http://localhost:8080/path@2x.png",
            "https://example.com/a:b",
            "commit 1df986a2b1f5c8a0e1d2c3b4a5968778695a4b3c",
            "0fae0449-64d3-4788-8622-d3a47d82c14b",
            "export PASSWORD=$OTHER",
            "AKIAIOSFODNN",
            "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "…/src/components/Header.tsx and more",
            "…somethingCamelCaseWithoutDigits",
            "eyJust a word",
            "bearer of news",
        ] {
            let mut redactor = Redactor::new();
            assert_eq!(redactor.text(text), text);
            assert_eq!(redactor.count(), 0, "{text}");
        }
    }

    #[test]
    fn what_is_left_of_a_cut_secret_is_found() {
        let mut redactor = Redactor::new();
        let cut = "…aB3dE6gH9jK2mN5pQ8rS1tU4 and then";
        assert_eq!(
            redactor.text(cut),
            format!("…[redacted fragment {:06x}] and then", digest(&cut[3..27]))
        );
        let open = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA…";
        let redacted = redactor.text(open);
        assert!(!redacted.contains("b3Blbn"), "{redacted}");
        let line = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zaB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zaB";
        assert_eq!(line.len(), 64);
        let lines = format!("then\n{line}\n{line}\\n{line} more");
        assert!(!redactor.text(&lines).contains(line));
    }

    #[test]
    fn what_stands_behind_an_escape_of_json_is_found() {
        for (kind, secret) in samples() {
            for escape in ["\\n", "\\t", "\\r"] {
                let raw = serde_json::to_string(&secret).unwrap();
                let raw = format!("before{escape}{} after", raw.trim_matches('"'));
                let mut redactor = Redactor::new();
                let redacted = redactor.text(&raw);
                assert!(redacted.contains(&format!("[redacted {kind} ")), "{kind}: {redacted}");
                assert!(redacted.starts_with(&format!("before{escape}")), "{kind}: {redacted}");
            }
        }
    }

    #[test]
    fn names_say_which_values_are_secrets() {
        for (name, value) in [
            ("PASSWORD", "hunter2xx"),
            ("TOKEN", "abcdefgh"),
            ("API_KEY", "abcdefgh"),
            ("PGPASSWORD", "hunter2xx"),
            ("SECRET_KEY_BASE", "abcdefgh"),
            ("db_password", "hunter2xx"),
            ("clientSecret", "abc123def"),
            ("x-api-key", "abc123def"),
        ] {
            let mut texts = vec![
                format!("{{\"{name}\": \"{value}\"}}"),
                format!("{{\\\"{name}\\\":\\\"{value}\\\"}}"),
                format!("{{'{name}': '{value}'}}"),
            ];
            if !name.contains(char::is_lowercase) {
                texts.push(format!("\\n{name}={value} make"));
                texts.push(format!("{name}=\\\"{value}\\\""));
            }
            for text in texts {
                let mut redactor = Redactor::new();
                let redacted = redactor.text(&text).into_owned();
                assert!(!redacted.contains(value) && redacted.contains(name), "{redacted}");
                assert_eq!(redactor.text(&redacted), redacted);
            }
            let mut json = json!({"env": {name: value}});
            Redactor::new().json(&mut json);
            assert!(!json.to_string().contains(value), "{json}");
        }
        for (name, value) in [
            ("TOKEN_FILE", "/run/secrets/token1"),
            ("API_KEY_PATH", "/etc/keys/api1"),
            ("SECRET_NAME", "projects/one"),
            ("MAX_THINKING_TOKENS", "31999000"),
            ("tokens", "123456789a"),
            ("token", "identifier"),
            ("password", "${PASSWORD}"),
            ("API_KEY", "<your-key-here>"),
            ("keyboard", "qwertz105"),
        ] {
            let texts = [format!("{name}={value}"), format!("{{\"{name}\": \"{value}\"}}")];
            for text in texts {
                assert_eq!(Redactor::new().text(&text), text);
            }
            let mut json = json!({name: value});
            Redactor::new().json(&mut json);
            assert_eq!(json[name], value);
        }
        // One of a known shape is found where its name says nothing.
        let secret = format!("ghp{}{}", "_", "a1B2".repeat(9));
        let text = format!("{{\"token_file\": \"{secret}\"}}");
        assert!(!Redactor::new().text(&text).contains(&secret));
    }

    #[test]
    fn a_private_key_ends_where_its_body_does() {
        let first = format!("-----BEGIN {}-----", "PRIVATE KEY");
        let prose = format!("a file that begins with {first} and so on, up to its end");
        let redacted = Redactor::new().text(&prose).into_owned();
        assert!(redacted.ends_with("] and so on, up to its end"), "{redacted}");
        let far = format!("{first}\n{} -----END PRIVATE KEY-----", "word ".repeat(20_000));
        assert!(Redactor::new().text(&far).len() > 90_000, "a bound on what is one key");
        let body = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0z".repeat(2);
        let cut = format!("{first}\\n{body}\\n{body}");
        assert!(!Redactor::new().text(&cut).contains("aB3dE6"));
    }

    #[test]
    fn a_path_that_is_cut_off_is_no_secret() {
        for text in ["…/Users/Me/Project12/src/App2/Header99.tsx", "…example/Team1/App2/blob/Main3"]
        {
            assert_eq!(Redactor::new().text(text), text);
        }
    }

    #[test]
    fn json_is_redacted_in_all_its_texts() {
        let secret = format!("ghp{}{}", "_", "a1B2".repeat(9));
        let mut value = json!({"a": [{"b": format!("x {secret}")}], secret.clone(): 1, "n": 5});
        let mut redactor = Redactor::new();
        redactor.json(&mut value);
        assert!(!value.to_string().contains(&secret), "{value}");
        assert_eq!(redactor.count(), 2);
        let mut kept = json!({"a": secret});
        Redactor::off().json(&mut kept);
        assert_eq!(kept["a"], secret);
    }
}
