import { createAgent } from 'remit/shim' // +
import settings from './remit.json' with { type: 'json' } // +

const PROMPT = 'You answer questions about pages.'
const { fetch } = createAgent({ ...settings, prompt: PROMPT }) // +

const { API_URL = 'http://127.0.0.1:3000' } = process.env
const answer = await fetch(`${API_URL}/pages/7`)
console.log(answer.status, await answer.text())
