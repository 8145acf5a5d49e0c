import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { App } from '../app-type.ts'
import { sendPage } from '../page.ts'
import { CONSOLE_FILES, type ConsoleFileName, type ConsoleFiles } from './files.ts'

/** Only what this listener serves loads and runs, no string becomes code or markup, nobody frames it (attacks.md 113). */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
}

const NOT_BUILT = `The console of this server was not built. Run "npm run build:console" where the server is installed, then
start the server again.`

/** The console's page, from memory: no part of a request ever names a file. `home` is the path of its index. */
export async function consolePageRoutes(
  app: App,
  { home, files }: { home: string; files: ConsoleFiles | undefined },
): Promise<void> {
  const config = { permission: 'public' } as const
  const schema = { summary: 'The console', tags: ['console'], response: { 200: z.string(), 503: z.string() } }
  app.get('/console', { config, schema: { ...schema, response: { 302: z.string() } } }, async (_request, reply) => {
    return reply.redirect(home)
  })
  for (const { name, path, type } of CONSOLE_FILES) {
    app.get(path, { config, schema: { ...schema, produces: [type] } }, async (_request, reply) => {
      return sendFile(reply, files, name, type)
    })
  }
}

function sendFile(
  reply: FastifyReply,
  files: ConsoleFiles | undefined,
  name: ConsoleFileName,
  type: string,
): FastifyReply {
  if (!files) return sendPage(reply, 503, 'The console is not built', NOT_BUILT)
  return reply.headers(HEADERS).type(type).send(files[name])
}
