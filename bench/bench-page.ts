import type { BenchResult } from './result.ts'
export function benchPage(result: BenchResult): string {
  return JSON.stringify(result)
}
