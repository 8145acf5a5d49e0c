import type { IncomingMessage } from 'node:http'
import { OAuthError } from '../../protocol/errors.ts'
import { checkRule } from '../checked-rule.ts'
import { onceAMinute } from '../once-a-minute.ts'
import { resourceStatus } from '../resource-status.ts'
import type { RouteRule } from '../route-rule.ts'
import { createVerifier, type PresentedRequest, type Verified, type Verifier } from '../verify.ts'
import { checkJsonType } from './body-headers.ts'
import { admit, admittedBy } from './intent-of.ts'
import { pathOf, presentedRequest, requestTarget } from './presented-request.ts'
import { protectedResourceMetadata, protectedResourceUrl } from './protected-resource.ts'
import { type Answer, jsonAnswer, refusalAnswer } from './refusal-answer.ts'
import { readBody } from './request-body.ts'
import type { ResourceOptions } from './resource-options.ts'

/** A request that may go on, or what it is answered. */
export type Outcome = { readonly verified: Verified } | { readonly answer: Answer }

/** A request as an adapter shows it. */
export type Presented = PresentedRequest & {
  readonly body: () => Promise<Uint8Array>
  /** Throws `invalid_request` where the body does not say that it is JSON. */
  readonly checkJson: () => void
}

/** Throws `OAuthError` for what must not pass. `before` is who an earlier guard of this resource found. */
export type Judgement = (presented: Presented, verifier: Verifier, before?: Verified) => Promise<Verified>

/** The rule that was asked last, for the challenge. */
type Asked = () => RouteRule | undefined

export type ResourceGuard = {
  readonly resource_metadata: string
  /** The RFC 9728 document, where the request asks for it. */
  readonly metadataFor: (request: IncomingMessage) => Answer | undefined
  /** Throws `TypeError` for a rule that says what cannot be: at the start, not at the first request. */
  readonly readRule: (rule: RouteRule) => void
  readonly judge: (request: IncomingMessage, judgement: Judgement, asked: Asked) => Promise<Outcome>
}

const MAX_BODY_BYTES = 1_048_576
/** Where a body begins and ends is told by other means there (RFC 9113 section 8.1), and Node shows them in another way. */
const ONLY_HTTP_1 =
  'The guard judges HTTP/1.1 alone: serve this API on node:http, and let a proxy in front speak HTTP/2.'

/** What all adapters share: the verifier, the document, the answers. Throws where the audience is no http URL. */
export function createResourceGuard(options: ResourceOptions): ResourceGuard {
  const { audience, maxBodyBytes = MAX_BODY_BYTES, log = console.error } = options
  const publicUrl = (options.publicUrl ?? new URL(audience).origin).replace(/\/$/, '')
  const resource_metadata = protectedResourceUrl(audience)
  const metadataPath = new URL(resource_metadata).pathname
  const document = jsonAnswer(200, protectedResourceMetadata(options), { 'cache-control': 'public, max-age=300' })
  const verifier = createVerifier(options)
  const isDue = onceAMinute(options.now ?? (() => new Date()))

  function readRule(rule: RouteRule): void {
    checkRule(rule, options)
  }

  function metadataFor(request: IncomingMessage): Answer | undefined {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    return isRead && pathOf(requestTarget(request)) === metadataPath ? document : undefined
  }

  async function judge(request: IncomingMessage, judgement: Judgement, asked: Asked): Promise<Outcome> {
    const watched = watch(verifier)
    try {
      if (request.httpVersionMajor > 1) throw new Error(ONLY_HTTP_1)
      const presented = {
        ...presentedRequest(request, publicUrl),
        body: () => readBody(request, maxBodyBytes),
        checkJson: () => checkJsonType(request),
      }
      const verified = await judgement(presented, watched.verifier, admittedBy(verifier, request))
      admit(request, { verified, verifier })
      return { verified }
    } catch (error) {
      if (error instanceof OAuthError) {
        sayOutage(error)
        if (!watched.told(error)) void tell(error, watched.verified()).catch(() => {})
      } else log('A request could not be judged.', error)
      const { authorization } = request.headers
      return { answer: refusalAnswer(error, { authorization, resource_metadata, rule: asked() }) }
    }
  }

  /** An outage is ours to mend, and a caller is not told of what: here it is said why, and not at each call. */
  function sayOutage(error: OAuthError): void {
    if (resourceStatus(error) !== 503 || !isDue(error.reason)) return
    log(`Requests are refused for an outage: ${error.reason}.`, error.cause)
  }

  /** What an adapter refuses itself. */
  async function tell(error: OAuthError, verified: Verified | undefined): Promise<void> {
    const whose = verified && { client_id: verified.claims.client_id, jti: verified.claims.jti }
    await options.onRefusal?.({ code: error.code, reason: error.reason, status: resourceStatus(error), ...whose })
  }

  return { resource_metadata, metadataFor, readRule, judge }
}

/** The verifier for one request: what it refuses it has told itself, and whom it found an adapter's refusal may name. */
function watch(verifier: Verifier) {
  let verified: Verified | undefined
  let refused: unknown
  const watched = async (judged: Promise<Verified>) => {
    try {
      verified = await judged
      return verified
    } catch (error) {
      refused = error
      throw error
    }
  }
  return {
    verifier: {
      verify: (...request: Parameters<Verifier['verify']>) => watched(verifier.verify(...request)),
      check: (...request: Parameters<Verifier['check']>) => watched(verifier.check(...request)),
    },
    verified: () => verified,
    told: (error: unknown) => error === refused,
  }
}
