import fc from 'fast-check'
import { gatesOf, type Mint, needs, type World } from './reference-model.ts'
import { AGENTS, percent } from './workflows.ts'

/** One act on an execution, by choices that the state of the moment turns into names. */
export type Command =
  | {
      readonly kind: 'mint'
      readonly pick: number
      /** Choose among the steps whose turn it is, that are entered, that were left, all, or name one that is none. */
      readonly step: 'ready' | 'entered' | 'left' | 'any' | 'unknown'
      readonly agent: 'right' | 'other'
      readonly within: boolean
      readonly completed: 'none' | 'true' | 'false'
      readonly digest: 'none' | 'first' | 'second'
      readonly whole: boolean
    }
  | { readonly kind: 'decide'; readonly pick: number; readonly granted: boolean }

const mint: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant('mint' as const),
  pick: fc.nat(99),
  step: weighted(['ready', 20], ['entered', 8], ['left', 4], ['any', 5], ['unknown', 1]),
  agent: weighted(['right', 25], ['other', 1]),
  within: percent(10),
  completed: weighted(['none', 16], ['true', 8], ['false', 1]),
  digest: weighted(['none', 4], ['first', 5], ['second', 2]),
  whole: percent(85),
})

const decide: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant('decide' as const),
  pick: fc.nat(99),
  granted: percent(80),
})

export const command = fc.oneof({ arbitrary: mint, weight: 3 }, { arbitrary: decide, weight: 1 })

export function commands(most: number): fc.Arbitrary<readonly Command[]> {
  return fc.array(command, { minLength: 4, maxLength: most, size: 'max' })
}

/** What a command asks in this world. */
export function mintOf(world: World, command: Command & { kind: 'mint' }, digests: Digests): Mint {
  const ids = world.steps.map(step => step.step_id)
  const step = stepOf(world, command)
  const right = world.steps.find(one => one.step_id === step)?.agent_id ?? AGENTS[0]
  const others = AGENTS.filter(agent => agent !== right)
  const recorded = Object.keys(world.marks).filter((_, at) => (command.pick >> at) % 2 === 0)
  const unrecorded = ids.filter(id => world.marks[id] === undefined)
  return {
    step,
    agent: command.agent === 'right' && !command.within ? right : (others[command.pick % others.length] ?? right),
    within: command.within,
    // Mostly of the present entry.
    ...(command.within && { lent: (world.marks[step]?.entries ?? 1) - (command.pick % 4 === 0 ? 1 : 0) }),
    opens: false,
    completed:
      command.completed === 'none'
        ? []
        : [...recorded, ...(command.completed === 'false' ? [unrecorded[0] ?? 'nowhere'] : [])],
    digest: command.digest === 'none' ? null : digests[command.digest],
    whole: command.whole || command.digest === 'none',
  }
}

function stepOf({ steps, marks }: World, command: Command & { kind: 'mint' }): string {
  const ids = steps.map(step => step.step_id)
  const entered = ids.filter(id => marks[id]?.state === 'entered')
  const left = ids.filter(id => marks[id]?.state === 'left')
  const ready = ids.filter(id => {
    const isFresh = !marks[id] && !steps.some(step => step.step_id === id && step.approval_gate)
    const gates = gatesOf(steps, id)
    return isFresh && [...needs(steps, id)].every(one => marks[one] || gates.has(one))
  })
  const among = { ready, entered, left, any: ids, unknown: ['nowhere'] }[command.step]
  const some = among.length > 0 ? among : ids
  return some[command.pick % some.length] ?? 'nowhere'
}

export type Digests = { readonly first: string; readonly second: string }

function weighted<const T extends string>(...choices: readonly (readonly [T, number])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([value, weight]) => ({ arbitrary: fc.constant(value), weight })))
}
