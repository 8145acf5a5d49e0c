import type { RawBuilder } from 'kysely'
import type { Context } from '../context.ts'

/*
 * Requests that wait at the same time share statements and commits. A request's own code knows nothing of it: it calls
 * an operation made by `together`, which alone is one statement, and in a batch one statement for all that are there.
 */

/** What the requests of a meeting do next, together. */
export type Round = {
  readonly place: number
  /** @returns why it failed, which its requests have been told */
  readonly run: () => Promise<unknown>
  /** Instead of `run`: tells its requests why not. */
  readonly fail: (cause: unknown) => void
}
/** What they write last, with the commit. */
export type Ending = { readonly place: number; readonly statement: () => RawBuilder<unknown> }

/** Where operations of several requests meet: a transaction of several, or reads of the same moment. */
export type Meeting = {
  /** The same for all members. */
  readonly group: object
  readonly arrive: (round: Round) => void
  readonly end: (ending: Ending) => void
}

type Place = Pick<Context, 'db' | 'meeting'>

type Entry<Ctx, In, Out> = {
  readonly ctx: Ctx
  readonly input: In
  readonly resolve: (answer: Out) => void
  readonly reject: (cause: unknown) => void
}

/**
 * Makes an operation of what does it for many: `run` answers each input, in their order. In a transaction of several
 * requests each comes to its operations in the order of their places, so that each runs once, and all batches of all
 * nodes take locks in one order. Operations of one place may be asked for at once.
 */
export function together<Ctx extends Place, In, Out>(
  place: number,
  run: (ctx: Ctx, inputs: readonly In[]) => Promise<readonly Out[]>,
): (ctx: Ctx, input: In) => Promise<Out> {
  const open = new WeakMap<object, { readonly entries: Entry<Ctx, In, Out>[]; readonly round: Round }>()

  async function answer(entries: readonly Entry<Ctx, In, Out>[]): Promise<unknown> {
    const [first] = entries
    if (!first) return undefined
    try {
      const inputs = entries.map(entry => entry.input)
      const answers = await run({ ...first.ctx, meeting: undefined }, inputs)
      if (answers.length !== entries.length) throw new Error('An operation must answer each of its inputs.')
      entries.forEach((entry, n) => {
        for (const own of answers.slice(n, n + 1)) entry.resolve(own)
      })
      return undefined
    } catch (cause) {
      for (const entry of entries) entry.reject(cause)
      return cause
    }
  }

  function openRound({ group }: Meeting) {
    const entries: Entry<Ctx, In, Out>[] = []
    const runRound = async () => {
      open.delete(group)
      return await answer(entries)
    }
    const fail = (cause: unknown) => {
      open.delete(group)
      for (const entry of entries) entry.reject(cause)
    }
    const opened = { entries, round: { place, run: runRound, fail } }
    open.set(group, opened)
    return opened
  }

  return async (ctx, input) => {
    const { promise, resolve, reject } = Promise.withResolvers<Out>()
    const entry = { ctx, input, resolve, reject }
    if (ctx.meeting) {
      const { entries, round } = open.get(ctx.meeting.group) ?? openRound(ctx.meeting)
      if (entries[0] && entries[0].ctx.db !== ctx.db) throw new Error('Who meets uses the same database.')
      entries.push(entry)
      ctx.meeting.arrive(round)
    } else {
      await answer([entry])
    }
    return await promise
  }
}

/** `together` for what is rare or cannot be one statement: one after the other, in an order that is every batch's. */
export function inTurn<In, Out>(
  place: number,
  nameOf: (input: In) => string,
  run: (ctx: Context, input: In) => Promise<Out>,
): (ctx: Context, input: In) => Promise<Out> {
  return together(place, async (ctx: Context, inputs: readonly In[]) => {
    const answers: { readonly n: number; readonly answer: Out }[] = []
    const named = inputs.map((input, n) => ({ input, n, name: nameOf(input) }))
    for (const { input, n } of named.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      answers.push({ n, answer: await run(ctx, input) })
    }
    return answers.toSorted((a, b) => a.n - b.n).map(({ answer }) => answer)
  })
}

/**
 * Makes an operation that nobody reads the result of: one statement for all requests of a batch, sent with the commit.
 * Until then nothing of it is there, and if it fails, nothing of the batch is.
 */
export function atCommit<In>(
  place: number,
  statementOf: (inputs: readonly In[]) => RawBuilder<unknown>,
): (ctx: Place, input: In) => Promise<void> {
  const open = new WeakMap<object, In[]>()
  return async ({ db, meeting }, input) => {
    if (!meeting) {
      await statementOf([input]).execute(db)
      return
    }
    const inputs = open.get(meeting.group) ?? []
    if (inputs.length === 0) {
      open.set(meeting.group, inputs)
      meeting.end({ place, statement: () => statementOf(inputs) })
    }
    inputs.push(input)
  }
}
