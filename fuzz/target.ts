import fc from 'fast-check'
import type { z } from 'zod'

/** How inputs are made, and what must hold of every one of them. An input is plain JSON, so that it can be kept. */
type Spec<Input> = {
  /** As in attacks.md section 6; also the folder of its corpus. */
  readonly name: string
  /** The rule, for the title of its test. */
  readonly rule: string
  /** Reads a kept input. */
  readonly input: z.ZodType<Input>
  readonly arbitrary: fc.Arbitrary<Input>
  /** Throws where the code under test is wrong. */
  readonly holds: (input: Input) => void | Promise<void>
  /** Runs of the short form. */
  readonly shortRuns: number
}

export type Bounds = { readonly seed: number; readonly runs?: number; readonly milliseconds?: number }

/** An input of which the rule does not hold, as small as it could be made. */
export type Counterexample = { readonly input: unknown; readonly seed: number; readonly error: unknown }

export type Ran = { readonly runs: number; readonly counterexample?: Counterexample }

export type Target = Pick<Spec<unknown>, 'name' | 'rule' | 'shortRuns'> & {
  /** Tries one kept input. Throws where the rule does not hold of it. */
  readonly replay: (input: unknown) => Promise<void>
  readonly run: (bounds: Bounds) => Promise<Ran>
}

const ENDLESS = 2 ** 31 - 1
const SHRINK_MILLISECONDS = 20_000

/** A target whose inputs only it knows. */
export function target<Input>({ name, rule, input, arbitrary, holds, shortRuns }: Spec<Input>): Target {
  const property = fc.asyncProperty(arbitrary, async value => await holds(value))
  async function run({ seed, runs = ENDLESS, milliseconds }: Bounds): Promise<Ran> {
    const bounded = await fc.check(property, { seed, numRuns: runs, endOnFailure: true, ...timeLimit(milliseconds) })
    if (!bounded.failed || bounded.counterexamplePath === null) return { runs: bounded.numRuns }
    // Made small in a time of its own: the bound of the run may have been near.
    const path = bounded.counterexamplePath
    const small = await fc.check(property, { seed, path, ...timeLimit(SHRINK_MILLISECONDS) })
    const found = small.counterexample ?? bounded.counterexample
    return {
      runs: bounded.numRuns,
      counterexample: { input: found?.[0], seed, error: small.errorInstance ?? bounded.errorInstance },
    }
  }
  return { name, rule, shortRuns, run, replay: async kept => await holds(input.parse(kept)) }
}

function timeLimit(milliseconds: number | undefined) {
  return milliseconds === undefined ? {} : { interruptAfterTimeLimit: milliseconds, markInterruptAsFailure: false }
}
