import { z } from 'zod'
import type { App } from './app-type.ts'
import { sendPage } from './page.ts'

const TEXT = `This server has no interactive sign-in yet, so its authorization endpoint issues nothing. It is listed in the
metadata only because common clients cannot read metadata without it. Use the grant client_credentials or agent_checksum
at the token endpoint.`

/** The authorization endpoint until an interactive grant exists: 400 and a page that says so (protocol.md section 2). */
export async function authorizeRoute(app: App): Promise<void> {
  const schema = {
    summary: 'No interactive grant yet: always 400',
    tags: ['tokens'],
    response: { 400: z.string() },
    produces: ['text/html'],
  }
  app.get('/oauth/authorize', { config: { permission: 'public' }, schema }, async (_request, reply) => {
    return sendPage(reply, 400, 'No interactive grant', TEXT)
  })
}
