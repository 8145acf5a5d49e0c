import { book, collect } from './remit/work.ts'
import { ENTRY, PAYMENT } from './story.ts'
import type { Attempt, Power, Seen, Threat } from './threat.ts'
import type { World } from './world.ts'

export type PlainResult = 'succeeds' | 'blocked'
export type RemitResult = 'blocked' | 'limited' | 'succeeds'

/** A try with what came of it. */
export type Tried = Pick<Attempt, 'what'> & Seen & { readonly expected: string | undefined }

/** One row of the table. */
export type Entry = {
  readonly id: string
  readonly name: string
  readonly aim: string
  readonly power: Power
  readonly plain_oauth: PlainResult
  readonly remit: RemitResult
  readonly how: string
  readonly tried: {
    readonly plain: readonly Tried[]
    readonly remit: readonly Tried[]
    readonly bounds: readonly Tried[]
  }
  /** What keeps the row from being believed: a refusal of another kind, a bound that does not hold, honest work that fails. */
  readonly faults: readonly string[]
}

/** Carries one case out in both worlds; honest work is done right before and right after. */
export async function judge(world: World, { id, name, aim }: Threat, make: Threat['cases'][number]): Promise<Entry> {
  const faults = await honestWork(world, 'before')
  const { power, how, ...tries } = await make(world)
  const plain = await tryAll(tries.plain)
  const remit = await tryAll(tries.remit)
  const bounds = await tryAll(tries.bounds ?? [])
  faults.push(...[...remit, ...bounds].flatMap(faultOf), ...(await honestWork(world, 'after')))
  const result = resultOf(power, remit, bounds)
  return {
    ...{ id, name, aim, power, how, faults },
    plain_oauth: plain.some(({ got }) => got) ? 'succeeds' : 'blocked',
    remit: result,
    tried: { plain, remit, bounds },
  }
}

/** Whether a row is as it must be: everything shown, and nothing but code in the process gets anywhere. */
export function holds({ remit, faults }: Entry): boolean {
  return remit !== 'succeeds' && faults.length === 0
}

/**
 * `limited` only where the power is code in the process, and every bound that is named was tried and held: whatever else
 * succeeds, succeeds.
 */
export function resultOf(power: Power, remit: readonly Tried[], bounds: readonly Tried[]): RemitResult {
  if (remit.every(({ got }) => !got)) return 'blocked'
  const isBounded = bounds.length > 0 && bounds.every(bound => !bound.got && faultOf(bound).length === 0)
  return power === 'c' && isBounded ? 'limited' : 'succeeds'
}

async function tryAll(attempts: readonly Attempt[]): Promise<readonly Tried[]> {
  const tried: Tried[] = []
  for (const { what, refused, run } of attempts) {
    const seen = await run().catch((error: unknown) => ({ got: false, answer: `could not be tried: ${error}` }))
    tried.push({ what, expected: refused, ...seen })
  }
  return tried
}

/** A try that was refused, but not in the way it had to be; or a bound that gave way. */
function faultOf({ what, got, answer, expected }: Tried): readonly string[] {
  if (expected === undefined || (!got && answer === expected)) return []
  return [`${what}: expected ${expected}, saw ${answer}`]
}

async function honestWork({ plain, remit }: World, when: string): Promise<string[]> {
  const faults: string[] = []
  try {
    await book(remit, remit.crew, await collect(remit, remit.crew))
  } catch (error) {
    faults.push(`Honest work with Remit failed ${when}: ${error instanceof Error ? error.message : error}`)
  }
  const read = await plain.call('GET', '/invoices', { agent: 'reader' })
  const booked = await plain.call('POST', '/entries', { agent: 'bookkeeper', body: ENTRY })
  const paid = await plain.call('POST', '/payments', { agent: 'payer', body: PAYMENT })
  if ([read, booked, paid].some(({ status }) => status !== 200))
    faults.push(`Honest work with plain OAuth failed ${when}.`)
  return faults
}
