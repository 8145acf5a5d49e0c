import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  consoleSessionSchema,
  consoleSignInAnswerSchema,
  consoleSignInSchema,
} from '../../../protocol/console-session.ts'
import type { Context } from '../../context.ts'
import { consoleSession, startConsoleSession, stopConsoleSession } from '../../registry/console-sessions.ts'
import { problems } from '../admin/problems.ts'
import type { App } from '../app-type.ts'
import { acceptJson } from '../strict-body.ts'
import { demandNoMarker, demandSameOrigin } from './same-origin.ts'
import { authenticateSession } from './session-auth.ts'
import { endedCookie, readSessionCookie, sessionCookie } from './session-cookie.ts'

const config = { permission: 'console' } as const
const tags = ['console']
const SIGN_IN_LIMIT = 1024
/** Both halves of a session, for what looks it up; signing in needs neither. */
const security = [{ console: [], console_marker: [] }]

/** /console/session: POST trades the code of a link for a cookie, GET says who is signed in, DELETE signs out. */
export async function consoleSessionRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const { adminUrl } = ctx.config
  acceptJson(app, SIGN_IN_LIMIT)
  // Also without a cookie, or another site could sign somebody in as its own administrator.
  app.addHook('onRequest', async request => {
    demandSameOrigin(request, adminUrl)
  })

  const signIn = {
    summary: 'Open a console session with the code of a link, once',
    description: 'X-Remit-Console is 1 here. The answer has the marker that is its value from then on.',
    tags,
    body: consoleSignInSchema,
    response: { 200: consoleSignInAnswerSchema, ...problems },
  }
  app.post('/console/session', { config, schema: signIn }, async (request, reply) => {
    demandNoMarker(request)
    const origin = { request_id: request.id, address: request.ip }
    const { secret, marker, ...signedIn } = await startConsoleSession(ctx, request.body.code, origin)
    reply.header('set-cookie', sessionCookie(adminUrl, secret))
    return { ...consoleSession(signedIn), marker }
  })

  const show = {
    summary: 'Who is signed in to the console',
    tags,
    security,
    response: { 200: consoleSessionSchema, ...problems },
  }
  app.get('/console/session', { config, schema: show }, async request => {
    return consoleSession((await signedInBy(request)).signedIn)
  })

  const signOut = { summary: 'Sign out of the console', tags, security, response: { 204: z.undefined(), ...problems } }
  app.delete('/console/session', { config, schema: signOut }, async (request, reply) => {
    const { secret, signedIn } = await signedInBy(request)
    await stopConsoleSession(ctx, signedIn.caller, secret)
    return reply.code(204).header('set-cookie', endedCookie(adminUrl)).send(undefined)
  })

  async function signedInBy(request: FastifyRequest) {
    const secret = readSessionCookie(request, adminUrl) ?? ''
    return { secret, signedIn: await authenticateSession(ctx, request, secret) }
  }
}
