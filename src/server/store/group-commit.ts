import type { Context } from '../context.ts'
import { GATE_LOCK } from './gate.ts'
import { gatherReads } from './gather-reads.ts'
import { isContention, isReadTimeout, isStorageTrouble } from './storage-trouble.ts'
import type { Ending, Meeting, Round } from './together.ts'
import { takeTurn } from './turn.ts'
import { openWriteSession, type WriteSession } from './write-session.ts'

export type GroupCommit = {
  /**
   * Runs a request's reads and writes behind the revocation gate, in one transaction with those of other requests that
   * wait; resolves when that is durable. Requests with a name of `alone` in common are never in it together: a row lock
   * keeps nobody out of its own transaction. A throw undoes this request and no other.
   */
  readonly write: <T>(ctx: Context, fn: (tx: Context) => Promise<T>, alone?: readonly string[]) => Promise<T>
  /** Gathers reads of requests outside a transaction; each sees everything that was committed before it began. */
  readonly reads: Meeting
}

/** Thrown in a write that rests on what has changed: nothing of it is left behind, and doing it again decides nothing. */
export class Undone extends Error {
  override readonly name = 'Undone'
}

/** Most requests a transaction. */
const MOST = 64
/**
 * One transaction at a time, so that batches are large: most of what one costs is the same for one request and for many.
 * After a while another one beside it: most likely it waits for somebody's row. Fewer than the connections of a process
 * (workers/pool-sizes.ts).
 */
const OPEN_AT_ONCE = 2
const LATE_MILLISECONDS = 100
/** One request of several may not hold up the others for as long as it would wait alone. */
const WAIT_TOGETHER = '200ms'

type Job = {
  readonly ctx: Context
  readonly fn: (tx: Context) => Promise<void>
  readonly alone: readonly string[]
  readonly done: () => void
  readonly failed: (cause: unknown) => void
}

/**
 * One a process. Batches what waits while others write: no timer, so that a request that comes alone goes at once.
 * Processes with the same `turn` write one after the other: a batch of each would be half as large.
 */
export function createGroupCommit(turn?: number): GroupCommit {
  const waiting: Job[] = []
  const held = new Set<string>()
  let open = 0
  let isLate = false
  let lateness: NodeJS.Timeout | undefined

  const isFree = (job: Job) => !job.alone.some(name => held.has(name))

  function take(): readonly Job[] {
    const taken: Job[] = []
    const left: Job[] = []
    for (const job of waiting.splice(0)) {
      const fits = taken.length < MOST && isFree(job)
      if (fits) for (const name of job.alone) held.add(name)
      ;(fits ? taken : left).push(job)
    }
    waiting.push(...left)
    return taken
  }

  function pump(): void {
    if (open === OPEN_AT_ONCE || (open > 0 && !isLate)) return
    const next = waiting.find(isFree)
    if (!next) return
    const ownTurn = open === 0 ? turn : undefined
    open += 1
    isLate = false
    clearTimeout(lateness)
    lateness = setTimeout(() => {
      isLate = true
      pump()
    }, LATE_MILLISECONDS).unref()
    void writeBatch(next.ctx, ownTurn)
  }

  async function writeBatch({ passDb }: Context, ownTurn: number | undefined): Promise<void> {
    const jobs: Job[] = []
    try {
      const begun = ownTurn === undefined ? undefined : await takeTurn(passDb, ownTurn)
      jobs.push(...take())
      await (jobs.length > 0 ? runJobs(jobs, begun) : begun?.undo())
    } catch (cause) {
      jobs.push(...take())
      for (const job of jobs) job.failed(cause)
    }
    open -= 1
    for (const name of jobs.flatMap(job => job.alone)) held.delete(name)
    pump()
  }

  return {
    async write(ctx, fn, alone = []) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const results: Awaited<ReturnType<typeof fn>>[] = []
      const run = async (tx: Context) => {
        results[0] = await fn(tx)
      }
      const failed = (cause: unknown) => {
        reject(cause)
        // A database that hangs does so for all: nobody waits for two time-outs (reliability.md R11).
        if (isReadTimeout(cause)) for (const other of waiting.splice(0)) other.failed(cause)
      }
      waiting.push({ ctx, fn: run, alone, done: resolve, failed })
      pump()
      await promise
      for (const result of results) return result
      throw new Error('A write has no result.')
    },
    reads: gatherReads(),
  }
}

/** Runs jobs in one transaction. A job that throws undoes it: the others are done again without it, and it alone. */
async function runJobs(jobs: readonly Job[], begun?: WriteSession): Promise<void> {
  const threw = new Map<Job, unknown>()
  try {
    await commitTogether(jobs, threw, begun)
    for (const job of jobs) job.done()
  } catch (cause) {
    if (jobs.length > 1 && isContention(cause)) return await runHalves(jobs)
    // Trouble of the database is everybody's, and what may have been committed is never done again.
    if (jobs.length === 1 || isStorageTrouble(cause)) {
      for (const job of jobs) job.failed(cause)
      return
    }
    const broken = threw.size === 0 ? jobs : [...threw.keys()]
    const others = jobs.filter(job => !broken.includes(job))
    if (others.length > 0) await runJobs(others)
    for (const job of broken) {
      const own = threw.get(job)
      if (own instanceof Undone) job.failed(own)
      else await runJobs([job])
    }
  }
}

/** Whose wait it was nobody knows: of halves the one without it is done, and soon it is alone. */
async function runHalves(jobs: readonly Job[]): Promise<void> {
  const half = Math.ceil(jobs.length / 2)
  await Promise.all([runJobs(jobs.slice(0, half)), runJobs(jobs.slice(half))])
}

async function commitTogether(
  jobs: readonly Job[],
  threw: Map<Job, unknown>,
  begun: WriteSession | undefined,
): Promise<void> {
  const [first] = jobs
  if (!first) return
  const session = begun ?? (await openWriteSession(first.ctx.passDb))
  try {
    // Of what is sent now, each statement sees what was committed before it began: behind the gate.
    const entered = session.send(
      `${begun ? '' : 'begin isolation level read committed; '}select pg_advisory_xact_lock_shared(${GATE_LOCK})${
        jobs.length > 1 ? `; set local lock_timeout = '${WAIT_TOGETHER}'` : ''
      }`,
    )
    const endings = await Promise.all([meet(session, jobs, threw), entered]).then(([endings]) => endings)
    const written = endings.toSorted((a, b) => a.place - b.place).map(({ statement }) => session.run(statement()))
    await Promise.all([...written, session.commit()])
    session.close()
  } catch (cause) {
    await session.undo()
    throw cause
  }
}

type State = { waiting: number; running: number }

/** Runs the jobs side by side: when all of them wait, the rounds with the first place go on. */
async function meet(session: WriteSession, jobs: readonly Job[], threw: Map<Job, unknown>): Promise<readonly Ending[]> {
  const group = {}
  const rounds = new Map<Round, State[]>()
  const present = new Set<State>()
  const endings: Ending[] = []
  let isDue = false
  let isOver = false

  function goOnSoon(): void {
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      goOn()
    })
  }

  function goOn(): void {
    // What a job that threw had asked for must not come behind the rollback.
    if (isOver || rounds.size === 0 || [...present].some(state => state.waiting === 0 || state.running > 0)) return
    const place = Math.min(...[...rounds.keys()].map(round => round.place))
    for (const [round, states] of [...rounds].filter(([round]) => round.place === place)) {
      rounds.delete(round)
      for (const state of states) {
        state.waiting -= 1
        state.running += 1
      }
      void round.run().then(() => {
        for (const state of states) state.running -= 1
        goOnSoon()
      })
    }
  }

  async function attend(job: Job): Promise<void> {
    const state = { waiting: 0, running: 0 }
    present.add(state)
    const meeting: Meeting = {
      group,
      arrive(round) {
        state.waiting += 1
        rounds.set(round, [...(rounds.get(round) ?? []), state])
        goOnSoon()
      },
      end: ending => void endings.push(ending),
    }
    try {
      await job.fn({ ...job.ctx, db: session.db, meeting })
    } catch (cause) {
      threw.set(job, cause)
      throw cause
    } finally {
      present.delete(state)
      goOnSoon()
    }
  }

  const outcomes = await Promise.allSettled(jobs.map(attend))
  isOver = true
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return endings
}
