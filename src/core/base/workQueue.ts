/** Wake-ups between invocations. */

/** Wake-ups. What is due stands in the tables; a lost message costs time, never truth. */
export interface WorkQueue<Message> {
  send(message: Message, delayMs?: number): Promise<void>;
}
