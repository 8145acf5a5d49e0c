import type { FastifyReply } from 'fastify'

/** Nothing loads and nothing runs on our pages. */
const CSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** A page of constant text: nothing of a request is ever put into one. */
export function sendPage(reply: FastifyReply, status: number, title: string, text: string): FastifyReply {
  return reply
    .code(status)
    .header('content-security-policy', CSP)
    .type('text/html; charset=utf-8')
    .serializer((page: string) => page)
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title} - Remit</title></head>` +
        `<body><main><h1>${title}</h1><p>${text}</p></main></body></html>\n`,
    )
}
