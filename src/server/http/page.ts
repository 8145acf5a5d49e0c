import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'

const STYLE = `:root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--code:#f3f4f6}
@media (prefers-color-scheme:dark){:root{--text:#e6e8eb;--soft:#a3acb7;--line:#3a424c;--paper:#14171b;--code:#22272e}}
body{margin:0;background:var(--paper);color:var(--text);font:1rem/1.6 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:1.5rem 1rem 3rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}h2{font-size:1.05rem;margin:1.75rem 0 .25rem}p{margin:.25rem 0}
code{background:var(--code);padding:.1rem .3rem;border-radius:.25rem;font:.9em ui-monospace,monospace}
.code{color:var(--soft);font:.9rem ui-monospace,monospace}a{color:inherit}li{margin:.6rem 0}
nav{border-top:1px solid var(--line);margin-top:2.5rem;padding-top:.75rem;color:var(--soft)}`

/** Nothing loads and nothing runs on our pages; their one style is known by its hash. */
const CSP = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** A page with one paragraph of constant text: nothing of a request is ever put into one. */
export function sendPage(reply: FastifyReply, status: number, title: string, text: string): FastifyReply {
  return sendHtml(reply, status, title, `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p>`)
}

/** A page of ours; `main` is HTML of constant text, escaped where it was made. */
export function sendHtml(reply: FastifyReply, status: number, title: string, main: string): FastifyReply {
  return reply
    .code(status)
    .header('content-security-policy', CSP)
    .type('text/html; charset=utf-8')
    .serializer((page: string) => page)
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>${escapeHtml(title)} - Remit</title><style>${STYLE}</style></head><body><main>${main}</main></body></html>\n`,
    )
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
