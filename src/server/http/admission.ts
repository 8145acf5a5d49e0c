import type { FastifyContextConfig, FastifyRequest } from 'fastify'
import { OAuthError } from '../../protocol/errors.ts'
import { addressGroup } from '../address-group.ts'
import type { Context } from '../context.ts'
import { claimedName } from '../token/claimed-client.ts'
import type { App } from './app-type.ts'
import { createInWork, type Holder, type InWork } from './in-work.ts'
import { createPace, type Pace, type PaceLimits } from './pace.ts'

/** Kinds of work that have places of their own, so that none keeps the others out. */
export type Work = 'tokens' | 'registration' | 'administration'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a public route that reads the database; other public routes answer from memory and take no place. */
    work?: Work
  }
  interface FastifyRequest {
    /** Gives back the place of a request that waits in one for its handler. */
    place?: (() => void) | undefined
  }
}

/**
 * Requests for tokens in work at once, a process. 64 and a mean of 0.3 s inside keep the slowest below a second where
 * 150 a second are done or more, and leave one client alone the 32 that fill a machine (docs/operations.md).
 */
const TOKENS: PaceLimits = { most: 128, least: 64, milliseconds: 300 }
/** Each waits for one of few connections, at most a second. */
const PLACES = 64
/** In times of what is free: one address alone gets two thirds of all places, one client of it half. */
const ADDRESS_SHARE = 2
const NAME_SHARE = 1
/** Not all come back at the same moment. */
const RETRY_AFTER_SECONDS = [1, 2, 3]

export type Admission = Readonly<Record<Work, InWork>> & { readonly pace: Pace }

/** One for all listeners of a process. */
export function createAdmission({ now }: Pick<Context, 'now'>): Admission {
  const pace = createPace(TOKENS, () => now().getTime())
  return {
    pace,
    tokens: createInWork(TOKENS.most, pace.places),
    registration: createInWork(PLACES),
    administration: createInWork(PLACES),
  }
}

/**
 * Refuses at once what the process cannot do soon: 429 beyond the rate of an address, 503 where all places or too many
 * of its own are taken, before a body or a credential is looked at. Health, keys and metadata never wait for a place.
 */
export function admitRequests(app: App, ctx: Context, admission: Admission): void {
  const busy = busyRefusal()
  app.decorateRequest('place')

  app.addHook('onRequest', async (request, reply) => {
    const work = request.is404 ? undefined : workOf(request.routeOptions.config)
    if (work === undefined) return
    if (work !== 'administration') ctx.limits.address(request.ip)
    const holders = [holderOf(request)]
    // A token request takes its place when it is read as a whole: who sends it slowly must not keep others out.
    if (work === 'tokens') {
      if (!admission.tokens.fits(holders)) throw busy()
      return
    }
    // What is large is received in its place, which whoever never comes to the handler gives back at the end.
    const place = admission[work].enter(holders)
    if (!place) throw busy()
    request.place = place
    reply.raw.once('close', () => {
      if (request.place === place) place()
    })
  })

  app.addHook('onRoute', route => {
    const work = workOf(route.config)
    if (work === undefined) return
    const { handler } = route
    route.handler = async (request, reply) => {
      const leave = request.place ?? (work === 'tokens' ? enterTokens(request) : undefined)
      request.place = undefined
      try {
        return await handler.call(app, request, reply)
      } finally {
        // Not before: what a client that is gone asked for is still worked at.
        leave?.()
      }
    }
  })

  function enterTokens(request: FastifyRequest): () => void {
    const name = `${request.ip}|${claimedName(request.raw.headers.authorization, request.body)}`
    const leave = admission.tokens.enter([holderOf(request), { name, share: NAME_SHARE }])
    if (!leave) throw busy()
    const began = ctx.now().getTime()
    return () => {
      leave()
      admission.pace.done(began)
    }
  }
}

function workOf(config: FastifyContextConfig = {}): Work | undefined {
  const { permission, work } = config
  if (work !== undefined || permission === undefined || permission === 'public') return work
  if (permission === 'client') return 'tokens'
  return typeof permission === 'object' && permission.audience === 'issuer' ? 'registration' : 'administration'
}

function holderOf(request: FastifyRequest): Holder {
  return { name: addressGroup(request.ip), share: ADDRESS_SHARE }
}

function busyRefusal(): () => OAuthError {
  let refused = 0
  return () => {
    refused += 1
    const retry_after = RETRY_AFTER_SECONDS[refused % RETRY_AFTER_SECONDS.length]
    return new OAuthError('temporarily_unavailable', 'The server is busy; send the request again later.', {
      reason: 'too_busy',
      ...(retry_after !== undefined && { retry_after }),
    })
  }
}
