import { createHash } from 'node:crypto'
import { z } from 'zod'
import { jwksSchema } from '../../protocol/metadata.ts'
import type { Context } from '../context.ts'
import type { PublishedKey } from '../keys/keyring.ts'
import type { App } from './app-type.ts'

/** Far below half the day for which a key is published before it signs (section 9); a shorter lead is told of it. */
const CACHE = 'public, max-age=300'

/** Our token keys, from memory: also while the database is away. */
export async function jwksRoute(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const schema = {
    summary: 'Token keys (RFC 7517)',
    tags: ['discovery'],
    response: { 200: jwksSchema, 304: z.undefined() },
  }
  app.get('/.well-known/jwks.json', { config: { permission: 'public' }, schema }, async (request, reply) => {
    const { set, text, etag } = written(ctx.keys.published())
    reply.header('cache-control', CACHE).header('etag', etag)
    if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send()
    reply.type('application/json; charset=utf-8').serializer(() => text)
    return set
  })
}

type Written = { readonly set: z.output<typeof jwksSchema>; readonly text: string; readonly etag: string }

const writtenOf = new WeakMap<readonly PublishedKey[], Written>()

/** A set is written once as long as it is the one that is published. */
function written(keys: readonly PublishedKey[]): Written {
  const known = writtenOf.get(keys) ?? write(keys)
  writtenOf.set(keys, known)
  return known
}

function write(keys: readonly PublishedKey[]): Written {
  const set = jwksSchema.parse({ keys })
  const text = JSON.stringify(set)
  return { set, text, etag: `"${createHash('sha256').update(text).digest('base64url')}"` }
}

/** Weak comparison, as RFC 9110 section 13.1.2 asks. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const sent = (ifNoneMatch ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return sent.includes(etag) || sent.includes('*')
}
