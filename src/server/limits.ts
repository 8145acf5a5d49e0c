import { OAuthError } from '../protocol/errors.ts'
import { addressGroup } from './address-group.ts'
import { createLimitedCounter } from './audit/limited.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { createSharedCounts, type Quota } from './shared-counts.ts'

type From = { readonly endpoint: string; readonly address: string }

/**
 * How often who may ask, over all nodes (attacks.md 29, 114, 119). What is too much throws 429 with Retry-After, and is
 * no count itself: whoever is too fast goes on at the rate that is allowed.
 */
export type Limits = {
  /** Guessing at secrets: of one name from one address. Nothing else can be guessed, so nothing else counts. */
  readonly failures: {
    readonly check: (name: string, address: string) => void
    readonly failed: (name: string, address: string) => void
  }
  /** Guessing at an agent's checksum. Only different ones count: the old processes of a rollout all send the same. */
  readonly checksums: {
    readonly check: (agent: string, address: string) => void
    readonly wrong: (agent: string, address: string, checksum: string) => void
  }
  /** A request of an address that mints, introspects, revokes or registers, before anything of it is read. */
  readonly address: (address: string) => void
  /** Such a request of a client that was authenticated; of its excess there is one audit row a second. */
  readonly client: (client_id: string, from: From) => void
  /** A report of refusals: each is a row of the trail. */
  readonly report: (client_id: string) => void
  /** Once a second: tells the other processes and hears of them, and records whom a limit met. */
  readonly exchange: (ctx: Context) => Promise<void>
}

const FAILURES: Quota = { name: 'failure', a_minute: 20, share_from: 1 }
/** One or two wrong checksums at a process are a rollout, and with many processes still no guessing. */
const CHECKSUMS: Quota = { name: 'checksum', a_minute: 20, share_from: 3 }
const SEEN_CHECKSUM: Quota = { name: 'seen', a_minute: 1, share_from: Number.POSITIVE_INFINITY }
const REPORTS: Quota = { name: 'report', a_minute: 60, share_from: 1 }
/** A process tells of a key once it has seen this part of what all together may: so few are told. */
const TOLD_PART = 256

export function createLimits(config: Pick<Config, 'clientRate' | 'addressRate'>, now: () => Date): Limits {
  const { clientRate, addressRate } = config
  const counts = createSharedCounts(now)
  const limited = createLimitedCounter()
  const clients: Quota = { name: 'client', a_minute: clientRate, share_from: clientRate / TOLD_PART }
  const addresses: Quota = { name: 'address', a_minute: addressRate, share_from: addressRate / TOLD_PART }

  function check(quota: Quota, key: string, refusal: (retry_after: number) => OAuthError): void {
    const retry_after = counts.wait(quota, key)
    if (retry_after > 0) throw refusal(retry_after)
  }

  return {
    failures: {
      check: (name, address) => check(FAILURES, `${name}|${addressGroup(address)}`, tooManyFailures),
      failed: (name, address) => counts.add(FAILURES, `${name}|${addressGroup(address)}`),
    },
    checksums: {
      check: (agent, address) => check(CHECKSUMS, `${agent}|${addressGroup(address)}`, tooManyChecksums),
      wrong(agent, address, checksum) {
        const key = `${agent}|${addressGroup(address)}`
        const seen = `${key}|${checksum}`
        if (counts.wait(SEEN_CHECKSUM, seen) === 0) counts.add(CHECKSUMS, key)
        counts.add(SEEN_CHECKSUM, seen)
      },
    },
    address(address) {
      const key = addressGroup(address)
      check(addresses, key, addressTooFast)
      counts.add(addresses, key)
    },
    client(client_id, from) {
      check(clients, client_id, retry_after => {
        limited.count({ client_id, ...from })
        return clientTooFast(retry_after)
      })
      counts.add(clients, client_id)
    },
    report(client_id) {
      check(REPORTS, client_id, tooManyReports)
      counts.add(REPORTS, client_id)
    },
    async exchange(ctx) {
      await Promise.all([counts.exchange(ctx), limited.flush(ctx)])
    },
  }
}

function tooManyFailures(retry_after: number): OAuthError {
  const details = { reason: 'too_many_failures', status: 429, retry_after } as const
  return new OAuthError('temporarily_unavailable', 'Too many failed attempts; wait before the next one.', details)
}

function tooManyChecksums(retry_after: number): OAuthError {
  const details = { reason: 'too_many_checksums', status: 429, retry_after } as const
  return new OAuthError('temporarily_unavailable', 'Too many wrong checksums of this agent came from here.', details)
}

function addressTooFast(retry_after: number): OAuthError {
  const details = { reason: 'address_rate', status: 429, retry_after } as const
  return new OAuthError('temporarily_unavailable', 'Too many requests came from this address in a minute.', details)
}

function clientTooFast(retry_after: number): OAuthError {
  const details = { reason: 'client_rate', status: 429, retry_after } as const
  return new OAuthError('temporarily_unavailable', 'The client sent too many requests in a minute.', details)
}

function tooManyReports(retry_after: number): OAuthError {
  const details = { reason: 'too_many_reports', status: 429, retry_after } as const
  const description = 'Too many reports; send what was refused together, every 10 s.'
  return new OAuthError('temporarily_unavailable', description, details)
}
