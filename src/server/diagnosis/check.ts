import { StartRefused } from '../store/start-refused.ts'

/** One finding: `message` is a sentence, and where something is wrong it says how to mend it. */
export type Check = { readonly name: string; readonly status: 'ok' | 'warn' | 'fail'; readonly message: string }

export function ok(name: string, message: string): Check {
  return { name, status: 'ok', message }
}

export function warn(name: string, message: string): Check {
  return { name, status: 'warn', message }
}

export function fail(name: string, message: string): Check {
  return { name, status: 'fail', message }
}

/** What would refuse the start fails the check in the same words. */
export async function unlessRefused(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check()
  } catch (error) {
    if (error instanceof StartRefused) return fail(name, error.message)
    throw error
  }
}
