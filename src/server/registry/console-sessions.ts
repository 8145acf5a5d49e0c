import { timingSafeEqual } from 'node:crypto'
import type { z } from 'zod'
import type { ConsoleSession, consoleLinkSchema } from '../../protocol/console-session.ts'
import { sha256 } from '../../protocol/digest.ts'
import { Problem } from '../../protocol/problem.ts'
import { epochSeconds } from '../../protocol/time.ts'
import { auditAct, type Origin } from '../audit/events.ts'
import type { Caller } from '../caller.ts'
import { type Context, transaction } from '../context.ts'
import { findClient } from '../store/clients.ts'
import {
  type ConsoleSessionRow,
  claimConsoleLink,
  endConsoleSession,
  findConsoleSession,
  insertConsoleLink,
} from '../store/console-sessions.ts'
import { revocationRefs, standingRevocation } from '../store/revocations.ts'
import { findToken } from '../store/tokens.ts'
import type { Outcome } from './act.ts'
import { standingAccess, standingScope } from './standing-rights.ts'

/** Seconds in which a link opens the console. */
export const LINK_LIFETIME = 60
/** Seconds that a session lasts, whatever happens in it. */
export const SESSION_LIFETIME = 900

export type SignedIn = { readonly caller: Caller; readonly expires_at: Date }

/** The two halves of a session: the secret of its cookie, which every port of the host is sent, and the page's marker. */
export type SessionHalves = { readonly secret: string; readonly marker: string }

/**
 * Makes the link that opens the console once for the holder of an admin token, inside `act`. The code stands in the
 * fragment, which no browser sends, and rests as its digest. Throws Problem `forbidden` for a console session: one link
 * must not become a chain of them.
 */
export async function createConsoleLink(
  tx: Context,
  caller: Caller,
): Promise<Outcome<z.output<typeof consoleLinkSchema>>> {
  if (caller.via === 'console' || caller.jti === undefined) {
    throw new Problem('forbidden', 'A console session makes no links; run "remit console" again.', 'console_session')
  }
  const code = newSecret(tx)
  const created_at = tx.now()
  const code_expires_at = after(created_at, LINK_LIFETIME)
  const { client_id, sub, acting_owner, jti } = caller
  const scope = caller.scope.join(' ')
  await insertConsoleLink(tx, {
    code_digest: sha256(code),
    client_id,
    sub,
    acting_owner,
    scope,
    jti,
    created_at,
    code_expires_at,
  })
  const page = `${tx.config.adminUrl}/console/`
  const expires_at = code_expires_at.toISOString()
  return {
    status: 201,
    body: { url: `${page}#code=${code}`, expires_at },
    replayBody: { url: page, expires_at },
    audit: { details: { expires_at } },
  }
}

/**
 * Trades the code of a link for a session, once. @returns both halves of the session, which rest as digests
 * Throws Problem `unauthorized`, the same for a code that is used, over or unknown.
 */
export async function startConsoleSession(
  ctx: Context,
  code: string,
  origin: Origin,
): Promise<SignedIn & SessionHalves> {
  const [secret, marker] = [newSecret(ctx), newSecret(ctx)]
  return await transaction(ctx, async tx => {
    const now = tx.now()
    const digests = { session_digest: sha256(secret), marker_digest: sha256(marker) }
    const claim = { ...digests, expires_at: after(now, SESSION_LIFETIME), now }
    const row = await claimConsoleLink(tx, sha256(code), claim)
    const signedIn = row && (await standingSession(tx, row, origin))
    if (!signedIn) {
      throw new Problem(
        'unauthorized',
        'This link was used or is over; run "remit console" for a new one.',
        'console_code',
      )
    }
    await auditAct(tx, signedIn.caller, { action: 'console.sign_in', details: {} })
    return { ...signedIn, secret, marker }
  })
}

/**
 * Who holds both halves of a session now; undefined, without a difference, where they are not of one session, where it
 * is over or was ended, or where what it stands for was revoked.
 */
export async function findSignedIn(
  ctx: Context,
  { secret, marker }: SessionHalves,
  origin: Origin,
): Promise<SignedIn | undefined> {
  const row = await findConsoleSession(ctx, sha256(secret), ctx.now())
  if (!row?.marker_digest || !timingSafeEqual(row.marker_digest, sha256(marker))) return undefined
  return await standingSession(ctx, row, origin)
}

/** Signs out. Ending twice at once leaves one audit row. */
export async function stopConsoleSession(ctx: Context, caller: Caller, secret: string): Promise<void> {
  await transaction(ctx, async tx => {
    if (!(await endConsoleSession(tx, sha256(secret), tx.now()))) return
    await auditAct(tx, caller, { action: 'console.sign_out', details: {} })
  })
}

/** Who is signed in, as GET /console/session says it. */
export function consoleSession({ caller, expires_at }: SignedIn): ConsoleSession {
  const { client_id, acting_owner, scope } = caller
  return { client_id, acting_owner, scope: [...scope], expires_at: expires_at.toISOString() }
}

/**
 * A session never outlives what its token stood on: the client, its owner, its access, and everything by which a
 * revocation could match that token. All of it is read at every request.
 */
async function standingSession(ctx: Context, row: ConsoleSessionRow, origin: Origin): Promise<SignedIn | undefined> {
  const { client_id, sub, acting_owner, expires_at } = row
  const client = await findClient(ctx, client_id)
  const token = await findToken(ctx, row.jti)
  if (expires_at === null || client?.status !== 'active' || !token) return undefined
  const access = await standingAccess(ctx, client, sub, { jti: row.jti, iat: epochSeconds(token.issued_at) })
  if (!access) return undefined
  if (acting_owner !== sub && acting_owner !== client.owner) return undefined
  if (await standingRevocation(ctx, revocationRefs(token), ctx.now())) return undefined
  const scope = standingScope({ access }, ctx.config.adminAudience, row.scope)
  const { registers_for } = client
  return { caller: { client_id, sub, acting_owner, scope, registers_for, via: 'console', ...origin }, expires_at }
}

/** 256 random bits, base64url. */
function newSecret(ctx: Context): string {
  const halves = [ctx.randomId(), ctx.randomId()].map(half => Buffer.from(half, 'base64url'))
  return Buffer.concat(halves).toString('base64url')
}

function after(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000)
}
