import { timingSafeEqual } from 'node:crypto'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { sha256 } from '../../protocol/digest.ts'
import { subjectNameSchema } from '../../protocol/names.ts'
import { Problem } from '../../protocol/problem.ts'
import type { Origin } from '../audit/events.ts'
import { auditBootstrap } from '../audit/own-events.ts'
import { type Context, transaction } from '../context.ts'
import { claimBootstrap, isBootstrapped } from '../store/bootstrap.ts'
import { clientJwks } from './client-keys.ts'
import { newClientId } from './clients.ts'
import { insertAdministrator } from './new-administrator.ts'

/** Body of POST /admin/v1/bootstrap (protocol.md section 11). */
export const bootstrapSchema = z.strictObject({
  client_name: z.string().min(1).max(200),
  jwks: z.unknown(),
  owner: subjectNameSchema,
})
/** `issuer`: who comes in by the admin listener knows only its address. */
export const bootstrapAnswerSchema = z.object({ client_id: z.string(), issuer: z.string() })

const GROUP_OR_OTHERS = 0o077
/** Less cannot be random enough; an empty file must never open anything. */
const TOKEN_MIN_LENGTH = 22
/** Failures are counted by client_id; this is none. */
const NOBODYS_NAME = 'bootstrap token'

/**
 * In development: writes a one-time token, 256 bits, readable by its owner only, where none exists and none was used.
 * @returns whether the first administrator is still to come
 */
export async function prepareBootstrapToken(ctx: Context): Promise<boolean> {
  const { production, bootstrapTokenFile } = ctx.config
  if (await isBootstrapped(ctx)) return false
  if (production) {
    ctx.log.warn({ file: bootstrapTokenFile }, 'no administrator yet: run remit init with the one-time token')
    return true
  }
  const token = `${ctx.randomId()}${ctx.randomId()}\n`
  await mkdir(dirname(bootstrapTokenFile), { recursive: true })
  try {
    await writeFile(bootstrapTokenFile, token, { mode: 0o600, flag: 'wx' })
    ctx.log.info({ file: bootstrapTokenFile }, 'no administrator yet: the one-time bootstrap token is in this file')
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  }
  return true
}

/**
 * Makes the first administrator (protocol.md section 11). One row decides, for ever, on every node.
 * Throws Problem `conflict` once it was used, `unauthorized` for a wrong token; 429 after too many of them;
 * `invalid_request` for a weak key.
 */
export async function bootstrap(
  ctx: Context,
  token: string,
  body: z.output<typeof bootstrapSchema>,
  origin: Origin,
): Promise<z.output<typeof bootstrapAnswerSchema>> {
  if (await isBootstrapped(ctx)) throw closed()
  await checkToken(ctx, token, origin.address)
  const jwks = await clientJwks(ctx, body.jwks)
  const client_id = newClientId(ctx)
  const { client_name, owner } = body
  await transaction(ctx, async tx => {
    await insertAdministrator(tx, { client_id, client_name, owner, jwks, created_by: 'bootstrap' })
    if (!(await claimBootstrap(tx, client_id, tx.now()))) throw closed()
    await auditBootstrap(tx, origin, client_id, owner)
  })
  await forgetToken(ctx)
  return { client_id, issuer: ctx.config.issuer }
}

/** Digests are compared, so that neither content nor length shows in the time it takes. */
async function checkToken(ctx: Context, token: string, address: string): Promise<void> {
  ctx.limits.failures.check(NOBODYS_NAME, address)
  const expected = await readToken(ctx)
  if (expected !== undefined && timingSafeEqual(sha256(token), sha256(expected))) return
  ctx.limits.failures.failed(NOBODYS_NAME, address)
  throw new Problem('unauthorized', 'The bootstrap token is wrong or not set up.', 'bootstrap_token')
}

async function readToken({ config, log }: Context): Promise<string | undefined> {
  const file = await open(config.bootstrapTokenFile, 'r').catch(() => undefined)
  if (!file) return undefined
  try {
    const stats = await file.stat()
    if (!stats.isFile()) return undefined
    if ((stats.mode & GROUP_OR_OTHERS) !== 0) {
      log.error(
        { file: config.bootstrapTokenFile },
        'the bootstrap token file must be readable by its owner only (0600)',
      )
      return undefined
    }
    const token = (await file.readFile('utf8')).trim()
    return token.length >= TOKEN_MIN_LENGTH ? token : undefined
  } finally {
    await file.close()
  }
}

/** A generated file has done its work; an operator's own is theirs to remove, and opens nothing any more. */
async function forgetToken({ config, log }: Context): Promise<void> {
  if (config.production) return
  await rm(config.bootstrapTokenFile, { force: true }).catch(() => {
    log.warn({ file: config.bootstrapTokenFile }, 'the used bootstrap token file could not be removed')
  })
}

function closed(): Problem {
  return new Problem('conflict', 'Bootstrap was used and is closed for ever.', 'bootstrap_closed')
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
