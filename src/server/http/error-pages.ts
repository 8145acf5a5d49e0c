import { z } from 'zod'
import { type CodeEntry, ERROR_CATALOGUE, isWireCode } from '../../protocol/error-catalogue.ts'
import type { App } from './app-type.ts'
import { escapeHtml, sendHtml } from './page.ts'

const CACHE = 'public, max-age=300'
const config = { permission: 'public' } as const
const about = { tags: ['discovery'], produces: ['text/html'] }

/**
 * GET /errors and /errors/{code}: what a refusal means and what mends it, for whoever follows its `error_uri`
 * (protocol.md section 10). Constant pages without script; a code that is not ours is never shown (attack 113).
 */
export async function errorPageRoutes(app: App): Promise<void> {
  const index = { ...about, summary: 'Every error code', response: { 200: z.string() } }
  app.get('/errors', { config, schema: index }, async (_request, reply) => {
    reply.header('cache-control', CACHE)
    return sendHtml(reply, 200, 'Error codes', indexHtml())
  })
  const schema = {
    ...about,
    summary: 'One error code: cause and mend',
    params: z.object({ code: z.string() }),
    response: { 200: z.string(), 404: z.string() },
  }
  app.get('/errors/:code', { config, schema }, async (request, reply) => {
    const { code } = request.params
    if (!isWireCode(code)) return sendHtml(reply, 404, 'No such code', UNKNOWN)
    reply.header('cache-control', CACHE)
    return sendHtml(reply, 200, ERROR_CATALOGUE[code].title, codeHtml(code, ERROR_CATALOGUE[code]))
  })
}

const UNKNOWN =
  '<h1>No such code</h1><p>This server gives no error of this code.</p><nav><a href="../errors">All codes</a></nav>'

function indexHtml(): string {
  const items = Object.entries(ERROR_CATALOGUE).map(
    ([code, { title }]) =>
      `<li id="${code}"><a href="errors/${code}">${escapeHtml(title)}</a><br><span class="code">${code}</span></li>`,
  )
  return `<h1>Error codes</h1><p>What each refusal of this server means, and what mends it.</p><ul>${items.join('')}</ul>`
}

function codeHtml(code: string, { title, cause, mend }: CodeEntry): string {
  const sections = [
    `<p class="code">${code}</p><h1>${escapeHtml(title)}</h1>`,
    `<h2>Why</h2><p>${typed(cause)}</p>`,
    `<h2>What to do</h2><p>${typed(mend)}</p>`,
    '<nav><a href="../errors">All codes</a></nav>',
  ]
  return sections.join('')
}

/** What stands between backticks is code. */
function typed(text: string): string {
  return text
    .split('`')
    .map((part, at) => (at % 2 === 1 ? `<code>${escapeHtml(part)}</code>` : escapeHtml(part)))
    .join('')
}
