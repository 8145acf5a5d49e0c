import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Answer } from '../registry/act.ts'

/** `Idempotency-Key`, opaque: kept 24 hours a client (protocol.md section 11). */
export const idempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'Idempotency-Key is 1 to 255 visible ASCII characters.')
    .optional(),
})
export type IdempotencyHeaders = z.output<typeof idempotencyHeaders>

/** The part of an act's request that every route reads the same way. */
export function idempotency(request: FastifyRequest, headers: IdempotencyHeaders): { endpoint: string; key?: string } {
  const key = headers['idempotency-key']
  return { endpoint: `${request.method} ${request.url.split('?', 1)[0]}`, ...(key !== undefined && { key }) }
}

type Reply = { header: (name: string, value: string) => unknown }

/** The body of an act's answer; a repeated one says so. */
export function answerAct<T>(reply: Reply, { body, replayed }: Answer<T>): T {
  if (replayed) reply.header('idempotency-replayed', 'true')
  return body
}
